package io.balena.engine.network;

import io.balena.engine.linux.RulesetChanges;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.Optional;

/// Puts the firewall right soon after somebody else has changed it: a reload by firewalld or another program empties the tables, and
/// with them what protects containers and leads to them.
///
/// The kernel tells of changes in nf_tables alone. On a machine with the older tables, what was flushed is put right with the next
/// change for a container.
final class FirewallWatch implements AutoCloseable {
    private static final Logger LOG = System.getLogger(FirewallWatch.class.getName());
    /// A reload is many changes; and who flushes again and again shall not keep a processor busy.
    private static final long REST_MILLIS = 200;
    private static final long STACK_BYTES = 64 * 1024;

    private final RulesetChanges changes;
    private final List<Firewall> firewalls;

    private FirewallWatch(RulesetChanges changes, List<Firewall> firewalls) {
        this.changes = changes;
        this.firewalls = firewalls;
    }

    /// @return empty when the kernel cannot tell
    static Optional<FirewallWatch> start(List<Firewall> firewalls) {
        if (firewalls.isEmpty()) return Optional.empty();
        try {
            var watch = new FirewallWatch(RulesetChanges.open(), firewalls);
            Thread.ofPlatform().daemon().name("firewall").stackSize(STACK_BYTES).start(watch::run);
            return Optional.of(watch);
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "changes of the firewall are not noticed", e);
            return Optional.empty();
        }
    }

    private void run() {
        try {
            while (changes.await(Iptables::isOurs)) {
                Thread.sleep(REST_MILLIS);
                for (Firewall firewall : firewalls) repair(firewall);
            }
        } catch (IOException e) {
            LOG.log(Level.WARNING, "changes of the firewall are not noticed any more: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void repair(Firewall firewall) {
        try {
            if (firewall.correct()) LOG.log(Level.INFO, "somebody has changed the rules of containers in the firewall: they are put right");
        } catch (IOException e) {
            LOG.log(Level.WARNING, "the firewall, which somebody has changed, cannot be put right: " + e.getMessage());
        }
    }

    @Override
    public void close() {
        changes.close();
    }
}
