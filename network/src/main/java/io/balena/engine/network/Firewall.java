package io.balena.engine.network;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;

/// Keeps the machine's firewall in step with one bridge. Safe for use by many threads.
///
/// Changes are made blindly, in one run of `iptables-restore`, because that is quick; only when one does not apply, because
/// somebody has emptied or changed the tables, the tables are read and put right. What is asked for during a run is done
/// together in the next: twenty containers that start at once need two or three runs.
final class Firewall {
    private final Iptables iptables;
    private final BridgeRules rules;
    private final Set<Endpoint> published = new LinkedHashSet<>();
    private final Queue<Change> waiting = new ConcurrentLinkedQueue<>();

    /// What one thread wants, and what became of it. All but the first two are used under the firewall's lock.
    private static final class Change {
        final Endpoint endpoint;
        final boolean publish;
        boolean done;
        IOException failure;

        Change(Endpoint endpoint, boolean publish) {
            this.endpoint = endpoint;
            this.publish = publish;
        }
    }

    Firewall(Iptables iptables, BridgeRules rules) {
        this.iptables = iptables;
        this.rules = rules;
    }

    /// Adds what is missing and removes what an earlier engine left, touching no rule of others.
    ///
    /// @param forwardingIsNew this engine has just made a router of the machine: as Docker does, forward for nobody but our
    ///     containers then
    synchronized void open(Collection<Endpoint> endpoints, boolean forwardingIsNew) throws IOException {
        endpoints.stream().filter(endpoint -> !endpoint.ports().isEmpty()).forEach(published::add);
        var batch = corrections();
        if (forwardingIsNew) batch.policy(BridgeRules.FILTER, "FORWARD", "DROP");
        if (!batch.isEmpty()) iptables.apply(batch);
    }

    void publish(Endpoint endpoint) throws IOException {
        if (!endpoint.ports().isEmpty()) carryOut(new Change(endpoint, true));
    }

    /// @throws IOException when the rules may still be there; the next attempt will try again
    void withdraw(Endpoint endpoint) throws IOException {
        if (!endpoint.ports().isEmpty()) carryOut(new Change(endpoint, false));
    }

    private void carryOut(Change change) throws IOException {
        waiting.add(change);
        synchronized (this) {
            // Whoever had the lock before may have done ours as well.
            if (!change.done) carryOutWaiting();
            if (change.failure != null) throw change.failure;
        }
    }

    private void carryOutWaiting() {
        var changes = new ArrayList<Change>();
        for (var change = waiting.poll(); change != null; change = waiting.poll()) changes.add(change);
        changes.removeIf(change -> {
            change.done = !change.publish && !published.contains(change.endpoint);
            return change.done;
        });
        var batch = new FirewallBatch();
        changes.forEach(change -> add(change, batch));
        try {
            if (!batch.isEmpty()) iptables.apply(batch);
            changes.forEach(this::note);
        } catch (IOException e) {
            changes.forEach(change -> carryOutThoroughly(change, e));
        }
    }

    private void add(Change change, FirewallBatch batch) {
        rules.ports(change.endpoint).forEach(change.publish ? batch::append : batch::delete);
    }

    private void note(Change change) {
        if (change.publish) published.add(change.endpoint);
        else published.remove(change.endpoint);
        change.done = true;
    }

    /// Makes the firewall what it should be after `change`. If that fails too, it should be what it was.
    private void carryOutThoroughly(Change change, IOException first) {
        note(change);
        try {
            correct();
        } catch (IOException e) {
            e.addSuppressed(first);
            change.failure = e;
            if (change.publish) published.remove(change.endpoint);
            else published.add(change.endpoint);
            removeTraces(change);
        }
    }

    // Each table is changed on its own: the first may have taken what the second refused.
    private void removeTraces(Change change) {
        try {
            correct();
        } catch (IOException e) {
            change.failure.addSuppressed(e);
        }
    }

    private void correct() throws IOException {
        var batch = corrections();
        if (!batch.isEmpty()) iptables.apply(batch);
    }

    private FirewallBatch corrections() throws IOException {
        var now = iptables.read();
        var batch = new FirewallBatch();
        BridgeRules.CHAINS.stream().filter(chain -> !now.chains().contains(chain)).forEach(batch::make);
        for (List<FirewallRule> wanted : rules.first()) {
            List<FirewallRule> present = now.of(wanted.getFirst()).stream().filter(wanted::contains).toList();
            if (present.equals(wanted)) continue;
            present.forEach(batch::delete);
            wanted.reversed().forEach(batch::insert);
        }
        rules.last().stream().filter(rule -> !now.rules().contains(rule)).forEach(batch::append);

        var ports = new LinkedHashSet<FirewallRule>();
        published.forEach(endpoint -> ports.addAll(rules.ports(endpoint)));
        now.rules().stream().filter(rule -> rules.isStale(rule, ports)).forEach(batch::delete);
        ports.stream().filter(rule -> !now.rules().contains(rule)).forEach(batch::append);
        return batch;
    }
}
