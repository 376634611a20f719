package io.balena.engine.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/// A link that shares the wire of another link of the machine: macvlan with a hardware address of its own, ipvlan without.
///
/// @param name in its namespace
/// @param parent index of the link whose wire it is
/// @param mac empty for one that the kernel chooses, and for ipvlan
/// @param mtu 0 for that of the parent
public record LinkSlice(String name, int parent, Mode mode, Optional<MacAddress> mac, int mtu) {
    /// Who hears whom.
    public sealed interface Mode {
        String kind();

        /// What the kernel's `IFLA_INFO_DATA` is to hold.
        void write(NetlinkMessage message);
    }

    /// @see <a href="https://man7.org/linux/man-pages/man8/ip-link.8.html">ip-link(8), MACVLAN and MACVTAP</a>
    public enum Macvlan implements Mode {
        PRIVATE(1), VEPA(2), BRIDGE(4), PASSTHRU(8);

        private static final int IFLA_MACVLAN_MODE = 1;

        private final int number;

        Macvlan(int number) {
            this.number = number;
        }

        @Override
        public String kind() {
            return "macvlan";
        }

        @Override
        public void write(NetlinkMessage message) {
            message.attribute(IFLA_MACVLAN_MODE, number);
        }
    }

    /// @see <a href="https://docs.kernel.org/networking/ipvlan.html">IPVLAN Driver HOWTO</a>
    public enum Ipvlan implements Mode {
        L2, L3, L3S;

        private static final int IFLA_IPVLAN_MODE = 1;

        @Override
        public String kind() {
            return "ipvlan";
        }

        @Override
        public void write(NetlinkMessage message) {
            // A number of two bytes, padded to four.
            message.attribute(IFLA_IPVLAN_MODE, ByteBuffer.allocate(2).order(ByteOrder.nativeOrder()).putShort((short) ordinal()).array());
        }
    }
}
