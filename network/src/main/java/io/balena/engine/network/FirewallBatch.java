package io.balena.engine.network;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Changes to the firewall that happen together: input of `iptables-restore --noflush`, which applies a table's lines all or
/// none.
final class FirewallBatch {
    private final Map<String, List<String>> lines = new LinkedHashMap<>();

    FirewallBatch make(FirewallChain chain) {
        // Not ":CHAIN -", which would empty a chain that another engine has made meanwhile.
        return add(chain.table(), "-N " + chain.name());
    }

    FirewallBatch append(FirewallRule rule) {
        return add(rule.table(), "-A " + rule.chain() + " " + rule.specification());
    }

    FirewallBatch insert(FirewallRule rule) {
        return add(rule.table(), "-I " + rule.chain() + " " + rule.specification());
    }

    FirewallBatch delete(FirewallRule rule) {
        return add(rule.table(), "-D " + rule.chain() + " " + rule.specification());
    }

    FirewallBatch policy(String table, String chain, String verdict) {
        return add(table, "-P " + chain + " " + verdict);
    }

    boolean isEmpty() {
        return lines.isEmpty();
    }

    private FirewallBatch add(String table, String line) {
        lines.computeIfAbsent(table, _ -> new ArrayList<>()).add(line);
        return this;
    }

    @Override
    public String toString() {
        var text = new StringBuilder();
        lines.forEach((table, changes) -> {
            text.append('*').append(table).append('\n');
            changes.forEach(change -> text.append(change).append('\n'));
            text.append("COMMIT\n");
        });
        return text.toString();
    }
}
