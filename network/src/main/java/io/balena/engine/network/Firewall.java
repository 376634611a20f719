package io.balena.engine.network;

import java.io.IOException;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/// Keeps the machine's firewall in step with one bridge. Safe for use by many threads.
///
/// Changes are made blindly, in one run of `iptables-restore`, because that is quick; only when one does not apply, because
/// somebody has emptied or changed the tables, the tables are read and put right.
final class Firewall {
    private final Iptables iptables;
    private final BridgeRules rules;
    private final Set<Endpoint> published = new LinkedHashSet<>();

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

    synchronized void publish(Endpoint endpoint) throws IOException {
        if (endpoint.ports().isEmpty()) return;
        published.add(endpoint);
        try {
            change(batch -> rules.ports(endpoint).forEach(batch::append));
        } catch (IOException e) {
            published.remove(endpoint);
            removeTraces(e);
            throw e;
        }
    }

    /// @throws IOException when the rules may still be there; the next attempt will try again
    synchronized void withdraw(Endpoint endpoint) throws IOException {
        if (!published.remove(endpoint)) return;
        try {
            change(batch -> rules.ports(endpoint).forEach(batch::delete));
        } catch (IOException e) {
            published.add(endpoint);
            throw e;
        }
    }

    private void change(Consumer<FirewallBatch> lines) throws IOException {
        try {
            var batch = new FirewallBatch();
            lines.accept(batch);
            iptables.apply(batch);
        } catch (IOException e) {
            try {
                correct();
            } catch (IOException again) {
                again.addSuppressed(e);
                throw again;
            }
        }
    }

    // Each table is changed on its own: the first may have taken what the second refused.
    private void removeTraces(IOException failure) {
        try {
            correct();
        } catch (IOException e) {
            failure.addSuppressed(e);
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
