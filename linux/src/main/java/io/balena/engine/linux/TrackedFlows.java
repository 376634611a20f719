package io.balena.engine.linux;

import static io.balena.engine.linux.NetlinkMessage.NLM_F_ACK;
import static io.balena.engine.linux.NetlinkMessage.NLM_F_DUMP;
import static io.balena.engine.linux.SocketLibc.AF_INET;

import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.util.function.Predicate;

/// The IPv4 flows whose addresses the kernel remembers, so that it translates all packets of a flow as it did the first.
///
/// @see <a href="https://github.com/torvalds/linux/blob/master/include/uapi/linux/netfilter/nfnetlink_conntrack.h">nfnetlink_conntrack.h</a>
public final class TrackedFlows {
    private static final int NFNL_SUBSYS_CTNETLINK = 1 << 8;
    private static final int IPCTNL_MSG_CT_GET = 1;
    private static final int IPCTNL_MSG_CT_DELETE = 2;
    private static final int CTA_TUPLE_ORIG = 1;
    private static final int CTA_TUPLE_REPLY = 2;
    private static final int CTA_ID = 12;
    private static final int CTA_ZONE = 18;
    private static final int CTA_TUPLE_IP = 1;
    private static final int CTA_TUPLE_PROTO = 2;
    private static final int CTA_IP_V4_SRC = 1;
    private static final int CTA_IP_V4_DST = 2;
    private static final int CTA_PROTO_NUM = 1;
    private static final int CTA_PROTO_DST_PORT = 3;

    /// @param protocol number as in `/etc/protocols`, e.g. 17 for UDP
    /// @param destination whom the sender addressed
    /// @param port that the sender addressed; 0 where the protocol has none
    /// @param answers who answers: another than `destination` when that is translated
    public record Flow(int protocol, Inet4Address destination, int port, Inet4Address answers) {}

    private record Entry(Flow flow, byte[] tuple, byte[] id, byte[] zone) {}

    private TrackedFlows() {}

    /// Has the kernel decide anew about the flows that `which` accepts, with their next packet.
    ///
    /// @return how many it forgot
    /// @throws ErrnoException when the kernel cannot tell its flows (`CONFIG_NF_CT_NETLINK`)
    public static int forget(Predicate<Flow> which) throws IOException {
        int forgotten = 0;
        try (var socket = NetlinkSocket.open(NetlinkSocket.NETLINK_NETFILTER)) {
            var all = new NetlinkMessage(NFNL_SUBSYS_CTNETLINK | IPCTNL_MSG_CT_GET, NLM_F_DUMP).netfilterHeader(AF_INET);
            for (Entry entry : socket.query(all, "list flows", payload -> parse(payload, which))) {
                var message = new NetlinkMessage(NFNL_SUBSYS_CTNETLINK | IPCTNL_MSG_CT_DELETE, NLM_F_ACK).netfilterHeader(AF_INET);
                message.nested(CTA_TUPLE_ORIG, entry.tuple());
                if (entry.id() != null) message.attribute(CTA_ID, entry.id());
                if (entry.zone() != null) message.attribute(CTA_ZONE, entry.zone());
                try {
                    socket.request(message, "forget " + entry.flow());
                    forgotten++;
                } catch (ErrnoException e) {
                    // It ended by itself.
                    if (e.errno() != Errno.ENOENT) throw e;
                }
            }
        }
        return forgotten;
    }

    private static Entry parse(ByteBuffer payload, Predicate<Flow> which) {
        if (payload.remaining() < 4) return null;
        payload.position(payload.position() + 4);
        var attributes = NetlinkAttributes.parse(payload);
        var original = attributes.nested(CTA_TUPLE_ORIG);
        var protocol = original.nested(CTA_TUPLE_PROTO);
        byte[] number = protocol.bytes(CTA_PROTO_NUM);
        byte[] port = protocol.bytes(CTA_PROTO_DST_PORT);
        byte[] destination = original.nested(CTA_TUPLE_IP).bytes(CTA_IP_V4_DST);
        byte[] answers = attributes.nested(CTA_TUPLE_REPLY).nested(CTA_TUPLE_IP).bytes(CTA_IP_V4_SRC);
        if (number == null || destination == null || answers == null) return null;
        var flow = new Flow(number[0] & 0xff, inet(destination),
                port == null ? 0 : (port[0] & 0xff) << 8 | port[1] & 0xff, inet(answers));
        if (!which.test(flow)) return null;
        return new Entry(flow, attributes.bytes(CTA_TUPLE_ORIG), attributes.bytes(CTA_ID), attributes.bytes(CTA_ZONE));
    }

    private static Inet4Address inet(byte[] bytes) {
        try {
            return (Inet4Address) InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("not an IPv4 address: " + bytes.length + " bytes", e);
        }
    }
}
