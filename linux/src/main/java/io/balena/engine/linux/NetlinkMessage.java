package io.balena.engine.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/// One netlink request while it is being written: header, family struct, attributes, all in the machine's byte order.
///
/// ```
///  0      4     6     8     12    16
///  | len  |type |flags| seq | pid | family struct … | attribute | attribute | …
///                                                    0     2     4
///                                   each attribute:  | len |type | payload, padded to 4 |
/// ```
///
/// @see <a href="https://docs.kernel.org/userspace-api/netlink/intro.html">Introduction to Netlink</a>
final class NetlinkMessage {
    static final int NLM_F_REQUEST = 0x1;
    static final int NLM_F_ACK = 0x4;
    static final int NLM_F_DUMP_INTR = 0x10;
    static final int NLM_F_ACK_TLVS = 0x200;
    static final int NLM_F_CAPPED = 0x100;
    static final int NLM_F_DUMP = 0x300;
    static final int NLM_F_REPLACE = 0x100;
    static final int NLM_F_EXCL = 0x200;
    static final int NLM_F_CREATE = 0x400;
    static final int HEADER_LENGTH = 16;

    private static final int NLA_F_NESTED = 0x8000;
    /// Larger than any request made here: names have 15 characters, an alias 255.
    private static final int CAPACITY = 2048;

    private final ByteBuffer bytes = ByteBuffer.allocate(CAPACITY).order(ByteOrder.nativeOrder());

    NetlinkMessage(int type, int flags) {
        bytes.putInt(0).putShort((short) type).putShort((short) (NLM_F_REQUEST | flags)).putInt(0).putInt(0);
    }

    /// `struct ifinfomsg`: which link, and the flags to change on it.
    NetlinkMessage linkHeader(int family, int index, int flags, int change) {
        bytes.put((byte) family).put((byte) 0).putShort((short) 0).putInt(index).putInt(flags).putInt(change);
        return this;
    }

    /// `struct ifaddrmsg`.
    NetlinkMessage addressHeader(int family, int prefixLength, int scope, int index) {
        bytes.put((byte) family).put((byte) prefixLength).put((byte) 0).put((byte) scope).putInt(index);
        return this;
    }

    /// `struct rtmsg`.
    NetlinkMessage routeHeader(int family, int prefixLength, int table, int protocol, int scope, int type) {
        bytes.put((byte) family).put((byte) prefixLength).put((byte) 0).put((byte) 0);
        bytes.put((byte) table).put((byte) protocol).put((byte) scope).put((byte) type).putInt(0);
        return this;
    }

    /// `struct nfgenmsg`.
    NetlinkMessage netfilterHeader(int family) {
        bytes.put((byte) family).put((byte) 0).putShort((short) 0);
        return this;
    }

    NetlinkMessage attribute(int type, byte[] payload) {
        bytes.putShort((short) (4 + payload.length)).putShort((short) type).put(payload);
        while (bytes.position() % 4 != 0) bytes.put((byte) 0);
        return this;
    }

    NetlinkMessage attribute(int type, int value) {
        bytes.putShort((short) 8).putShort((short) type).putInt(value);
        return this;
    }

    NetlinkMessage attribute(int type, byte value) {
        return attribute(type, new byte[] {value});
    }

    /// A string with its terminating zero, which most attributes of strings want.
    NetlinkMessage attribute(int type, String value) {
        byte[] text = value.getBytes(StandardCharsets.UTF_8);
        return attribute(type, java.util.Arrays.copyOf(text, text.length + 1));
    }

    /// An attribute that holds what `content` writes.
    NetlinkMessage nested(int type, Runnable content) {
        int start = bytes.position();
        bytes.putShort((short) 0).putShort((short) (type | NLA_F_NESTED));
        content.run();
        bytes.putShort(start, (short) (bytes.position() - start));
        return this;
    }

    /// An attribute that holds others, written as they were received.
    NetlinkMessage nested(int type, byte[] content) {
        return attribute(type | NLA_F_NESTED, content);
    }

    /// The finished message, carrying `sequence` so that its answer can be told from others.
    byte[] finish(int sequence) {
        bytes.putInt(0, bytes.position());
        bytes.putInt(8, sequence);
        return java.util.Arrays.copyOf(bytes.array(), bytes.position());
    }
}
