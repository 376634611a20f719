package io.balena.engine.network;

import io.balena.engine.linux.HeldName;
import io.balena.engine.network.address.Subnet;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/// This engine's right to give out a range of a bridge's addresses, for as long as it runs.
///
/// Two engines may share a bridge, as on a host whose second engine updates the first, but not addresses.
final class BridgeClaim implements AutoCloseable {
    /// A child of a killed engine has its claim until it has begun its own program.
    private static final Duration PATIENCE = Duration.ofMillis(500);
    private static final Duration POLL = Duration.ofMillis(10);

    private final HeldName name;

    private BridgeClaim(HeldName name) {
        this.name = name;
    }

    /// @throws IOException when another engine gives out addresses of the range
    static BridgeClaim take(String bridge, Subnet range) throws IOException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        for (;;) {
            try {
                return tryTo(bridge, range);
            } catch (IOException e) {
                if (System.nanoTime() - deadline > 0) throw e;
                LockSupport.parkNanos(POLL.toNanos());
            }
        }
    }

    private static BridgeClaim tryTo(String bridge, Subnet range) throws IOException {
        String prefix = "balena-engine/bridge/" + bridge + "/";
        // Ours first: of two engines that start at once, at least one sees the other.
        var name = HeldName.take(prefix + range).orElseThrow(() -> taken(bridge, range, range.toString()));
        try {
            for (String other : HeldName.all(prefix)) {
                String held = other.substring(prefix.length());
                if (!held.equals(range.toString()) && Subnet.parse(held).overlaps(range)) throw taken(bridge, range, held);
            }
            return new BridgeClaim(name);
        } catch (IOException | RuntimeException e) {
            name.close();
            throw e;
        }
    }

    private static IOException taken(String bridge, Subnet range, String held) {
        return new IOException("bridge " + bridge + " is in use by another engine, which gives out the addresses " + held
                + ": choose another bridge, or a range apart from that one instead of " + range);
    }

    @Override
    public void close() {
        name.close();
    }
}
