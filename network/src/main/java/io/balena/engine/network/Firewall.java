package io.balena.engine.network;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;

/// Keeps the machine's firewall of one family of addresses in step with all bridges. Safe for use by many threads.
///
/// Changes for containers are made blindly, in one run of `iptables-restore`, because that is quick; only when one does not apply,
/// because somebody has emptied or changed the tables, the tables are read and put right. What is asked for during a run is done
/// together in the next: twenty containers that start at once need two or three runs.
final class Firewall {
    private final Iptables iptables;
    /// The newest last.
    private final Set<BridgeRules> bridges = new LinkedHashSet<>();
    /// Of endpoints, by their id.
    private final Map<String, List<FirewallRule>> published = new LinkedHashMap<>();
    private final Queue<Change> waiting = new ConcurrentLinkedQueue<>();
    private boolean held;

    /// What one thread wants, and what became of it. All but the first three are used under the firewall's lock.
    private static final class Change {
        final String endpointId;
        final List<FirewallRule> rules;
        final boolean publish;
        boolean done;
        IOException failure;

        Change(String endpointId, List<FirewallRule> rules, boolean publish) {
            this.endpointId = endpointId;
            this.rules = rules;
            this.publish = publish;
        }
    }

    Firewall(Iptables iptables) {
        this.iptables = iptables;
    }

    /// Makes room for a bridge: adds what is missing and removes what an earlier engine left, touching no rule of others.
    ///
    /// @param endpoints of containers that run already
    synchronized void add(BridgeRules rules, List<Endpoint> endpoints) throws IOException {
        bridges.add(rules);
        for (Endpoint endpoint : endpoints) {
            List<FirewallRule> wanted = rules.of(endpoint);
            if (!wanted.isEmpty()) published.put(endpoint.id(), wanted);
        }
        if (held) return;
        try {
            correct();
        } catch (IOException e) {
            try {
                remove(rules);
            } catch (IOException left) {
                e.addSuppressed(left);
            }
            throw e;
        }
    }

    /// Only notes which bridges there are, until [#release]: one look at the tables then serves all.
    synchronized void hold() {
        held = true;
    }

    synchronized void release() throws IOException {
        held = false;
        correct();
    }

    /// Removes all rules of a bridge.
    ///
    /// @throws IOException when some may be left; the bridge is forgotten all the same
    synchronized void remove(BridgeRules rules) throws IOException {
        bridges.remove(rules);
        var now = iptables.read();
        var batch = new FirewallBatch();
        for (FirewallRule rule : now.rules()) if (rules.owns(rule)) batch.delete(rule);
        if (!batch.isEmpty()) iptables.apply(batch);
    }

    /// As Docker does where it has just made a router of the machine: forward for nobody but our containers.
    synchronized void dropForwarding() throws IOException {
        iptables.apply(new FirewallBatch().policy(BridgeRules.FILTER, "FORWARD", "DROP"));
    }

    void publish(String endpointId, List<FirewallRule> rules) throws IOException {
        if (!rules.isEmpty()) carryOut(new Change(endpointId, rules, true));
    }

    /// @throws IOException when the rules may still be there; the next attempt will try again
    void withdraw(String endpointId) throws IOException {
        List<FirewallRule> rules;
        synchronized (this) {
            rules = published.get(endpointId);
        }
        if (rules != null) carryOut(new Change(endpointId, rules, false));
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
            change.done = !change.publish && !published.containsKey(change.endpointId);
            return change.done;
        });
        var batch = new FirewallBatch();
        changes.forEach(change -> change.rules.forEach(change.publish ? batch::append : batch::delete));
        try {
            if (!batch.isEmpty()) iptables.apply(batch);
            changes.forEach(this::note);
        } catch (IOException e) {
            changes.forEach(change -> carryOutThoroughly(change, e));
        }
    }

    private void note(Change change) {
        if (change.publish) published.put(change.endpointId, change.rules);
        else published.remove(change.endpointId);
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
            if (change.publish) published.remove(change.endpointId);
            else published.put(change.endpointId, change.rules);
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

    /// Puts right whatever somebody else has changed of our rules.
    ///
    /// @return whether something was wrong
    synchronized boolean correct() throws IOException {
        if (bridges.isEmpty()) return false;
        var batch = corrections();
        if (batch.isEmpty()) return false;
        iptables.apply(batch);
        return true;
    }

    private FirewallBatch corrections() throws IOException {
        var now = iptables.read();
        var batch = new FirewallBatch();
        BridgeRules.CHAINS.stream().filter(chain -> !now.chains().contains(chain)).forEach(batch::make);
        boolean overtaken = false;
        for (BridgeRules rules : bridges) {
            for (List<FirewallRule> wanted : rules.first()) overtaken |= putFirst(wanted, now, batch);
        }
        if (overtaken || !commonComesFirst(now)) {
            List<FirewallRule> common = BridgeRules.common();
            now.of(common.getFirst()).stream().filter(common::contains).forEach(batch::delete);
            common.reversed().forEach(batch::insert);
        }

        var last = new ArrayList<>(BridgeRules.commonLast());
        bridges.forEach(rules -> last.addAll(rules.last()));
        last.stream().filter(rule -> !now.rules().contains(rule)).forEach(batch::append);

        var ports = new LinkedHashSet<FirewallRule>();
        published.values().forEach(ports::addAll);
        now.rules().stream().filter(rule -> bridges.stream().anyMatch(rules -> rules.isStale(rule, ports))).forEach(batch::delete);
        ports.stream().filter(rule -> !now.rules().contains(rule)).forEach(batch::append);
        return batch;
    }

    /// @return whether something was inserted
    private static boolean putFirst(List<FirewallRule> wanted, Ruleset now, FirewallBatch batch) {
        List<FirewallRule> present = now.of(wanted.getFirst()).stream().filter(wanted::contains).toList();
        if (present.equals(wanted)) return false;
        present.forEach(batch::delete);
        wanted.reversed().forEach(batch::insert);
        return true;
    }

    /// The administrator's rules and the isolation of the bridges come before what lets their traffic pass.
    private boolean commonComesFirst(Ruleset now) {
        List<FirewallRule> common = BridgeRules.common();
        Set<FirewallRule> ours = new LinkedHashSet<>(common);
        bridges.forEach(rules -> rules.first().forEach(ours::addAll));
        List<FirewallRule> order = now.of(common.getFirst()).stream().filter(ours::contains).toList();
        return order.size() >= common.size() && order.subList(0, common.size()).equals(common)
                && order.stream().filter(common::contains).count() == common.size();
    }
}
