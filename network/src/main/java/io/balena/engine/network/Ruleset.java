package io.balena.engine.network;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// The firewall as it is: what `iptables-save` printed.
record Ruleset(Set<FirewallChain> chains, List<FirewallRule> rules) {
    /// Lines that are neither a table, a chain nor a rule are passed over: comments, and what newer versions may add.
    static Ruleset parse(List<String> lines) {
        var chains = new HashSet<FirewallChain>();
        var rules = new ArrayList<FirewallRule>();
        String table = "";
        for (String line : lines) {
            if (line.startsWith("*")) {
                table = line.substring(1);
            } else if (line.startsWith(":")) {
                chains.add(new FirewallChain(table, line.substring(1).split(" ")[0]));
            } else if (line.startsWith("-A ")) {
                String[] words = line.split(" ", 3);
                rules.add(new FirewallRule(table, words[1], words.length > 2 ? words[2].strip() : ""));
            }
        }
        return new Ruleset(chains, rules);
    }

    /// The rules of one chain, in their order.
    List<FirewallRule> of(FirewallRule sibling) {
        return rules.stream().filter(r -> r.table().equals(sibling.table()) && r.chain().equals(sibling.chain())).toList();
    }
}
