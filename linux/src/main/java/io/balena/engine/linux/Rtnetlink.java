package io.balena.engine.linux;

import static io.balena.engine.linux.NetlinkMessage.NLM_F_ACK;
import static io.balena.engine.linux.NetlinkMessage.NLM_F_CREATE;
import static io.balena.engine.linux.NetlinkMessage.NLM_F_DUMP;
import static io.balena.engine.linux.NetlinkMessage.NLM_F_EXCL;
import static io.balena.engine.linux.NetlinkMessage.NLM_F_REPLACE;
import static io.balena.engine.linux.SocketLibc.AF_INET;
import static io.balena.engine.linux.SocketLibc.AF_INET6;

import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/// Links, addresses and routes of the network namespace in which this was opened, whichever thread asks later.
///
/// Safe for use by many threads. Every method is one exchange with the kernel, which has finished when it returns.
///
/// @see <a href="https://man7.org/linux/man-pages/man7/rtnetlink.7.html">rtnetlink(7)</a>
public final class Rtnetlink implements AutoCloseable {
    private static final int RTM_NEWLINK = 16;
    private static final int RTM_DELLINK = 17;
    private static final int RTM_GETLINK = 18;
    private static final int RTM_NEWADDR = 20;
    private static final int RTM_DELADDR = 21;
    private static final int RTM_GETADDR = 22;
    private static final int RTM_NEWROUTE = 24;
    private static final int RTM_DELROUTE = 25;
    private static final int RTM_GETROUTE = 26;

    private static final int IFF_UP = 1;

    private static final int IFLA_ADDRESS = 1;
    private static final int IFLA_IFNAME = 3;
    private static final int IFLA_MTU = 4;
    private static final int IFLA_LINK = 5;
    private static final int IFLA_MASTER = 10;
    private static final int IFLA_TXQLEN = 13;
    private static final int IFLA_OPERSTATE = 16;
    private static final int IF_OPER_UP = 6;
    private static final int IFLA_LINKINFO = 18;
    private static final int IFLA_IFALIAS = 20;
    private static final int IFLA_AF_SPEC = 26;
    private static final int IFLA_NET_NS_FD = 28;
    private static final int IFLA_NUM_TX_QUEUES = 31;
    private static final int IFLA_NUM_RX_QUEUES = 32;
    private static final int IFLA_INFO_KIND = 1;
    private static final int IFLA_INFO_DATA = 2;
    private static final int IFLA_INFO_SLAVE_KIND = 4;
    private static final int IFLA_INFO_SLAVE_DATA = 5;
    private static final int VETH_INFO_PEER = 1;
    private static final int IFLA_VLAN_ID = 1;
    private static final int IFLA_BRPORT_MODE = 4;
    private static final int IFLA_INET6_ADDR_GEN_MODE = 8;
    private static final byte IN6_ADDR_GEN_MODE_NONE = 1;

    private static final int IFA_ADDRESS = 1;
    private static final int IFA_LOCAL = 2;
    private static final int IFA_LABEL = 3;
    private static final int IFA_BROADCAST = 4;
    private static final int IFA_FLAGS = 8;
    private static final int IFA_F_NODAD = 2;

    private static final int RTA_DST = 1;
    private static final int RTA_OIF = 4;
    private static final int RTA_GATEWAY = 5;
    private static final int RT_TABLE_MAIN = 254;
    private static final int RTPROT_BOOT = 3;
    private static final int RT_SCOPE_UNIVERSE = 0;
    private static final int RT_SCOPE_LINK = 253;
    private static final int RTN_UNICAST = 1;

    private static final Duration POLL = Duration.ofMillis(1);

    private final NetlinkSocket socket;

    private Rtnetlink(NetlinkSocket socket) {
        this.socket = socket;
    }

    public static Rtnetlink open() throws IOException {
        return new Rtnetlink(NetlinkSocket.open(NetlinkSocket.NETLINK_ROUTE));
    }

    public Optional<Link> link(String name) throws IOException {
        // NLM_F_ACK ends the answer of a query for one object as DONE ends that of a dump.
        var message = new NetlinkMessage(RTM_GETLINK, NLM_F_ACK).linkHeader(0, 0, 0, 0).attribute(IFLA_IFNAME, name);
        try {
            return socket.query(message, "get link " + name, Rtnetlink::parseLink).stream().findFirst();
        } catch (ErrnoException e) {
            if (e.errno() == Errno.ENODEV) return Optional.empty();
            throw e;
        }
    }

    /// Waits until a link carries traffic. After both ends of a cable were switched on, the kernel takes note of it in the
    /// background, and drops what is sent until then. Since Linux 6.9 the question alone makes it do so at once.
    ///
    /// @return whether it does; false after `limit`
    public boolean awaitRunning(String name, Duration limit) throws IOException {
        long deadline = System.nanoTime() + limit.toNanos();
        for (;;) {
            if (link(name).filter(Link::running).isPresent()) return true;
            if (System.nanoTime() - deadline > 0) return false;
            LockSupport.parkNanos(POLL.toNanos());
        }
    }

    public List<Link> links() throws IOException {
        return socket.query(new NetlinkMessage(RTM_GETLINK, NLM_F_DUMP).linkHeader(0, 0, 0, 0), "list links", Rtnetlink::parseLink);
    }

    /// Makes a bridge, switched off.
    ///
    /// @throws ErrnoException `EEXIST` when a link of that name exists
    public void addBridge(String name, MacAddress mac, int mtu) throws IOException {
        var message = new NetlinkMessage(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL).linkHeader(0, 0, 0, 0);
        message.attribute(IFLA_IFNAME, name).attribute(IFLA_ADDRESS, mac.bytes()).attribute(IFLA_MTU, mtu).attribute(IFLA_TXQLEN, 0);
        message.nested(IFLA_LINKINFO, () -> message.attribute(IFLA_INFO_KIND, "bridge"));
        socket.request(message, "add bridge " + name);
    }

    /// Makes both ends, the far one directly in `namespace`. Both are switched off: the kernel refuses to open one end
    /// before the other is there.
    ///
    /// Each has one queue. The kernel would make one for each processor, which takes a third of the time and more memory, and
    /// serves only programs that attach XDP to the link.
    ///
    /// @throws ErrnoException `EEXIST` when either name is taken
    public void addVeth(VethPair pair, NetworkNamespace namespace) throws IOException {
        var message = new NetlinkMessage(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL).linkHeader(0, 0, 0, 0);
        message.attribute(IFLA_IFNAME, pair.name()).attribute(IFLA_MTU, pair.mtu()).attribute(IFLA_MASTER, pair.bridge()).attribute(IFLA_TXQLEN, 0);
        message.attribute(IFLA_NUM_TX_QUEUES, 1).attribute(IFLA_NUM_RX_QUEUES, 1);
        message.nested(IFLA_LINKINFO, () -> {
            message.attribute(IFLA_INFO_KIND, "veth");
            message.nested(IFLA_INFO_DATA, () -> message.nested(VETH_INFO_PEER, () -> {
                message.linkHeader(0, 0, 0, 0);
                message.attribute(IFLA_IFNAME, pair.peerName()).attribute(IFLA_MTU, pair.mtu()).attribute(IFLA_TXQLEN, 0);
                message.attribute(IFLA_NUM_TX_QUEUES, 1).attribute(IFLA_NUM_RX_QUEUES, 1);
                message.attribute(IFLA_ADDRESS, pair.peerMac().bytes()).attribute(IFLA_NET_NS_FD, namespace.number());
            }));
        });
        socket.request(message, "add veth " + pair.name() + " with peer " + pair.peerName());
    }

    /// Switches on the port of a bridge, named and not numbered so that it can follow [#addVeth] without asking.
    ///
    /// The port may send frames back where they came from (hairpin), so that a container reaches its own published port; it
    /// gets no IPv6 address of its own, which would cost duplicate address detection and multicast reports for nothing.
    ///
    /// @param alias at most 255 bytes
    public void enableBridgePort(String name, String alias) throws IOException {
        var message = new NetlinkMessage(RTM_NEWLINK, NLM_F_ACK).linkHeader(0, 0, IFF_UP, IFF_UP);
        message.attribute(IFLA_IFNAME, name).attribute(IFLA_IFALIAS, alias);
        message.nested(IFLA_LINKINFO, () -> {
            message.attribute(IFLA_INFO_SLAVE_KIND, "bridge");
            message.nested(IFLA_INFO_SLAVE_DATA, () -> message.attribute(IFLA_BRPORT_MODE, (byte) 1));
        });
        if (hasIpv6()) {
            message.nested(IFLA_AF_SPEC, () ->
                    message.nested(AF_INET6, () -> message.attribute(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE)));
        }
        socket.request(message, "switch on " + name);
    }

    // A kernel without IPv6 refuses the whole message for naming it (EAFNOSUPPORT).
    private static boolean hasIpv6() {
        return Sysctl.exists("net.ipv6.conf.all.disable_ipv6");
    }

    public void setUp(int link) throws IOException {
        socket.request(new NetlinkMessage(RTM_NEWLINK, NLM_F_ACK).linkHeader(0, link, IFF_UP, IFF_UP), "switch on link " + link);
    }

    public void setUp(String link) throws IOException {
        var message = new NetlinkMessage(RTM_NEWLINK, NLM_F_ACK).linkHeader(0, 0, IFF_UP, IFF_UP).attribute(IFLA_IFNAME, link);
        socket.request(message, "switch on link " + link);
    }

    /// @param alias at most 255 bytes
    public void setAlias(int link, String alias) throws IOException {
        var message = new NetlinkMessage(RTM_NEWLINK, NLM_F_ACK).linkHeader(0, link, 0, 0).attribute(IFLA_IFALIAS, alias);
        socket.request(message, "set the alias of link " + link);
    }

    /// Gives a link that is switched off another name.
    public void rename(int link, String name) throws IOException {
        var message = new NetlinkMessage(RTM_NEWLINK, NLM_F_ACK).linkHeader(0, link, 0, 0).attribute(IFLA_IFNAME, name);
        socket.request(message, "rename link " + link + " to " + name);
    }

    /// Makes a link that shares the wire of another, directly in `namespace`, switched off.
    ///
    /// @throws ErrnoException `EBUSY` when the parent is used in another way, `EOPNOTSUPP` when the kernel has no such links
    public void addSlice(LinkSlice slice, NetworkNamespace namespace) throws IOException {
        var message = new NetlinkMessage(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL).linkHeader(0, 0, 0, 0);
        message.attribute(IFLA_IFNAME, slice.name()).attribute(IFLA_LINK, slice.parent());
        if (slice.mtu() > 0) message.attribute(IFLA_MTU, slice.mtu());
        slice.mac().ifPresent(mac -> message.attribute(IFLA_ADDRESS, mac.bytes()));
        message.attribute(IFLA_NET_NS_FD, namespace.number());
        message.nested(IFLA_LINKINFO, () -> {
            message.attribute(IFLA_INFO_KIND, slice.mode().kind());
            message.nested(IFLA_INFO_DATA, () -> slice.mode().write(message));
        });
        socket.request(message, "add " + slice.mode().kind() + " " + slice.name());
    }

    /// Makes a link that leads nowhere, switched off.
    ///
    /// @throws ErrnoException `EEXIST` when a link of that name exists, `EOPNOTSUPP` when the kernel has no such links
    public void addDummy(String name) throws IOException {
        var message = new NetlinkMessage(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL).linkHeader(0, 0, 0, 0);
        message.attribute(IFLA_IFNAME, name).nested(IFLA_LINKINFO, () -> message.attribute(IFLA_INFO_KIND, "dummy"));
        socket.request(message, "add dummy " + name);
    }

    /// Makes a link for the frames on `parent` that carry a VLAN tag, switched off.
    ///
    /// @param id 1 to 4094
    /// @throws ErrnoException `EEXIST` when a link of that name exists, `EOPNOTSUPP` when the kernel has no such links
    public void addVlan(String name, int parent, int id) throws IOException {
        var message = new NetlinkMessage(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL).linkHeader(0, 0, 0, 0);
        message.attribute(IFLA_IFNAME, name).attribute(IFLA_LINK, parent);
        message.nested(IFLA_LINKINFO, () -> {
            message.attribute(IFLA_INFO_KIND, "vlan");
            message.nested(IFLA_INFO_DATA, () -> message.attribute(IFLA_VLAN_ID, ByteBuffer.allocate(2).order(ByteOrder.nativeOrder()).putShort((short) id).array()));
        });
        socket.request(message, "add vlan " + name);
    }

    public void setMtu(int link, int mtu) throws IOException {
        var message = new NetlinkMessage(RTM_NEWLINK, NLM_F_ACK).linkHeader(0, link, 0, 0).attribute(IFLA_MTU, mtu);
        socket.request(message, "set MTU " + mtu + " of link " + link);
    }

    /// @throws ErrnoException `ENODEV` when it is gone
    public void delete(int link) throws IOException {
        socket.request(new NetlinkMessage(RTM_DELLINK, NLM_F_ACK).linkHeader(0, link, 0, 0), "delete link " + link);
    }

    public List<LinkAddress> addresses() throws IOException {
        var message = new NetlinkMessage(RTM_GETADDR, NLM_F_DUMP).addressHeader(0, 0, 0, 0);
        return socket.query(message, "list addresses", Rtnetlink::parseAddress);
    }

    /// Adds an address and with it the route to its network; for IPv4 the last address of the network becomes the broadcast
    /// address, as ifup and Docker set it. An IPv6 address is usable at once: who gives it out knows that nobody else has it.
    ///
    /// @throws ErrnoException `EEXIST` when the link has it already
    public void addAddress(Link link, InetAddress address, int prefixLength) throws IOException {
        var added = new LinkAddress(link.index(), address, prefixLength);
        var message = addressMessage(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, added);
        if (address instanceof Inet4Address && prefixLength < 31) {
            message.attribute(IFA_BROADCAST, broadcast(address, prefixLength)).attribute(IFA_LABEL, link.name());
        }
        if (!(address instanceof Inet4Address)) message.attribute(IFA_FLAGS, IFA_F_NODAD);
        socket.request(message, "add address " + address.getHostAddress() + "/" + prefixLength + " to " + link.name());
    }

    public void deleteAddress(LinkAddress address) throws IOException {
        socket.request(addressMessage(RTM_DELADDR, NLM_F_ACK, address), "delete address " + address);
    }

    private static NetlinkMessage addressMessage(int type, int flags, LinkAddress on) {
        var message = new NetlinkMessage(type, flags).addressHeader(family(on.address()), on.prefixLength(), 0, on.link());
        return message.attribute(IFA_LOCAL, on.address().getAddress()).attribute(IFA_ADDRESS, on.address().getAddress());
    }

    private static byte[] broadcast(InetAddress address, int prefixLength) {
        byte[] bytes = address.getAddress();
        for (int bit = prefixLength; bit < 32; bit++) bytes[bit / 8] |= (byte) (0x80 >> bit % 8);
        return bytes;
    }

    /// Routes of all tables, both families.
    public List<Route> routes() throws IOException {
        var message = new NetlinkMessage(RTM_GETROUTE, NLM_F_DUMP).routeHeader(0, 0, 0, 0, 0, 0);
        return socket.query(message, "list routes", Rtnetlink::parseRoute);
    }

    /// Adds `route` to the main table.
    ///
    /// @throws ErrnoException `EEXIST` when there is one to that destination
    public void addRoute(Route route) throws IOException {
        socket.request(routeMessage(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, route), "add " + route);
    }

    /// Puts `route` into the main table in the place of another to the same destination: at no moment is there none.
    public void replaceRoute(Route route) throws IOException {
        socket.request(routeMessage(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, route), "replace " + route);
    }

    /// @throws ErrnoException `ESRCH` when it is not in the main table
    public void deleteRoute(Route route) throws IOException {
        socket.request(routeMessage(RTM_DELROUTE, NLM_F_ACK, route), "delete " + route);
    }

    private static NetlinkMessage routeMessage(int type, int flags, Route route) {
        int scope = route.gateway().isPresent() ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
        var message = new NetlinkMessage(type, flags)
                .routeHeader(family(route.destination()), route.prefixLength(), RT_TABLE_MAIN, RTPROT_BOOT, scope, RTN_UNICAST);
        if (route.prefixLength() > 0) message.attribute(RTA_DST, route.destination().getAddress());
        route.gateway().ifPresent(gateway -> message.attribute(RTA_GATEWAY, gateway.getAddress()));
        if (route.link() != 0) message.attribute(RTA_OIF, route.link());
        return message;
    }

    private static int family(InetAddress address) {
        return address instanceof Inet4Address ? AF_INET : AF_INET6;
    }

    private static Link parseLink(ByteBuffer payload) {
        if (payload.remaining() < 16) return null;
        int index = payload.getInt(payload.position() + 4);
        int flags = payload.getInt(payload.position() + 8);
        payload.position(payload.position() + 16);
        var attributes = NetlinkAttributes.parse(payload);
        byte[] mac = attributes.bytes(IFLA_ADDRESS);
        byte[] operstate = attributes.bytes(IFLA_OPERSTATE);
        return new Link(index, attributes.string(IFLA_IFNAME), attributes.nested(IFLA_LINKINFO).string(IFLA_INFO_KIND),
                attributes.integer(IFLA_MASTER, 0), (flags & IFF_UP) != 0,
                operstate != null && operstate.length == 1 && operstate[0] == IF_OPER_UP,
                mac != null && mac.length == 6 ? MacAddress.of(mac) : new MacAddress(0),
                attributes.integer(IFLA_MTU, 0), attributes.string(IFLA_IFALIAS));
    }

    private static LinkAddress parseAddress(ByteBuffer payload) {
        if (payload.remaining() < 8) return null;
        int prefixLength = Byte.toUnsignedInt(payload.get(payload.position() + 1));
        int link = payload.getInt(payload.position() + 4);
        payload.position(payload.position() + 8);
        var attributes = NetlinkAttributes.parse(payload);
        // On a point-to-point link IFA_ADDRESS is the other side.
        byte[] local = attributes.bytes(IFA_LOCAL);
        byte[] address = local != null ? local : attributes.bytes(IFA_ADDRESS);
        return address == null ? null : new LinkAddress(link, inetAddress(address), prefixLength);
    }

    private static Route parseRoute(ByteBuffer payload) {
        if (payload.remaining() < 12) return null;
        int family = Byte.toUnsignedInt(payload.get(payload.position()));
        int prefixLength = Byte.toUnsignedInt(payload.get(payload.position() + 1));
        if (family != AF_INET && family != AF_INET6) return null;
        payload.position(payload.position() + 12);
        var attributes = NetlinkAttributes.parse(payload);
        byte[] destination = attributes.bytes(RTA_DST);
        byte[] gateway = attributes.bytes(RTA_GATEWAY);
        return new Route(inetAddress(destination != null ? destination : new byte[family == AF_INET ? 4 : 16]), prefixLength,
                Optional.ofNullable(gateway).map(Rtnetlink::inetAddress), attributes.integer(RTA_OIF, 0));
    }

    private static InetAddress inetAddress(byte[] bytes) {
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException("neither an IPv4 nor an IPv6 address: " + bytes.length + " bytes", e);
        }
    }

    @Override
    public void close() {
        socket.close();
    }
}
