package io.balena.engine.network;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/// Every firewall rule of a bridge, as data. The same that Docker lays without its userland proxy:
///
/// ```
/// filter FORWARD ─► DOCKER-USER (the administrator's)
///                ─► DOCKER-ISOLATION-STAGE-1 ─► -STAGE-2: nothing passes from bridge to bridge
///                ─► to the bridge: answers pass, ─► DOCKER: published ports pass
///                   from the bridge: out passes; to itself: by icc
/// nat PREROUTING, OUTPUT, to an address of this machine ─► DOCKER: published ports get a new destination
///     POSTROUTING: containers leave with the machine's address; they, and the machine, enter a container by way of the bridge's
/// ```
final class BridgeRules {
    static final String FILTER = "filter";
    static final String NAT = "nat";

    /// Chains shared by all bridges, of every engine on the machine; never removed.
    static final List<FirewallChain> CHAINS = List.of(
            new FirewallChain(FILTER, "DOCKER"), new FirewallChain(FILTER, "DOCKER-ISOLATION-STAGE-1"),
            new FirewallChain(FILTER, "DOCKER-ISOLATION-STAGE-2"), new FirewallChain(FILTER, "DOCKER-USER"),
            new FirewallChain(NAT, "DOCKER"));

    private static final String PORT = "-p \\S+ -m \\S+ --dport \\d+ -j ";
    private static final Pattern PORT_PASSES = Pattern.compile("-d (\\S+)/32 ! -i (\\S+) -o (\\S+) " + PORT + "ACCEPT");
    private static final Pattern PORT_LEADS = Pattern.compile("(?:-d \\S+/32 )?" + PORT + "DNAT --to-destination ([0-9.]+):\\d+");
    private static final Pattern HAIRPIN = Pattern.compile("-s (\\S+)/32 -d (\\S+)/32 " + PORT + "MASQUERADE");

    private final String bridge;
    private final Subnet subnet;
    private final Subnet range;
    private final boolean masquerade;
    private final boolean icc;
    private final Pattern masqueradeOfAnySubnet;

    /// @param range the addresses that containers of this engine get: rules for others on the bridge are not ours
    BridgeRules(String bridge, Subnet subnet, Subnet range, boolean masquerade, boolean icc) {
        this.bridge = bridge;
        this.subnet = subnet;
        this.range = range;
        this.masquerade = masquerade;
        this.icc = icc;
        this.masqueradeOfAnySubnet = Pattern.compile("-s \\S+ ! -o " + Pattern.quote(bridge) + " -j MASQUERADE");
    }

    /// For each chain, rules that stand before others, in this order.
    List<List<FirewallRule>> first() {
        var forward = new ArrayList<FirewallRule>();
        forward.add(filter("FORWARD", "-j DOCKER-USER"));
        forward.add(filter("FORWARD", "-j DOCKER-ISOLATION-STAGE-1"));
        forward.add(filter("FORWARD", "-o " + bridge + " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"));
        forward.add(filter("FORWARD", "-o " + bridge + " -j DOCKER"));
        forward.add(filter("FORWARD", "-i " + bridge + " ! -o " + bridge + " -j ACCEPT"));
        if (icc) forward.add(withinBridge("ACCEPT"));

        var postrouting = new ArrayList<FirewallRule>();
        postrouting.add(nat("POSTROUTING", "-o " + bridge + " -m addrtype --src-type LOCAL -j MASQUERADE"));
        if (masquerade) postrouting.add(nat("POSTROUTING", "-s " + subnet + " ! -o " + bridge + " -j MASQUERADE"));

        return List.of(forward, postrouting,
                List.of(filter("DOCKER-ISOLATION-STAGE-1", "-i " + bridge + " ! -o " + bridge + " -j DOCKER-ISOLATION-STAGE-2")),
                List.of(filter("DOCKER-ISOLATION-STAGE-2", "-o " + bridge + " -j DROP")));
    }

    /// Rules that stand after what is there.
    List<FirewallRule> last() {
        var rules = new ArrayList<FirewallRule>();
        rules.add(filter("DOCKER-ISOLATION-STAGE-1", "-j RETURN"));
        rules.add(filter("DOCKER-ISOLATION-STAGE-2", "-j RETURN"));
        rules.add(filter("DOCKER-USER", "-j RETURN"));
        if (!icc) rules.add(withinBridge("DROP"));
        rules.add(nat("PREROUTING", "-m addrtype --dst-type LOCAL -j DOCKER"));
        rules.add(nat("OUTPUT", "-m addrtype --dst-type LOCAL -j DOCKER"));
        return rules;
    }

    /// What publishes a container's ports; each rule once, though two host ports may lead to one of the container.
    List<FirewallRule> ports(Endpoint endpoint) {
        var rules = new ArrayList<FirewallRule>();
        String container = endpoint.address() + "/32";
        for (PortBinding port : endpoint.ports()) {
            String protocol = "-p " + port.protocol() + " -m " + port.protocol();
            String to = port.host().equals(Ipv4.ANY) ? "" : "-d " + port.host() + "/32 ";
            rules.add(nat("DOCKER", to + protocol + " --dport " + port.hostPort()
                    + " -j DNAT --to-destination " + endpoint.address() + ":" + port.containerPort()));
            rules.add(filter("DOCKER", "-d " + container + " ! -i " + bridge + " -o " + bridge + " " + protocol
                    + " --dport " + port.containerPort() + " -j ACCEPT"));
            rules.add(nat("POSTROUTING", "-s " + container + " -d " + container + " " + protocol
                    + " --dport " + port.containerPort() + " -j MASQUERADE"));
        }
        return rules.stream().distinct().toList();
    }

    /// Rules that an engine on this bridge made, with other settings or for containers that are gone.
    ///
    /// @param wanted of ports, beside those of [#first] and [#last]
    boolean isStale(FirewallRule rule, Set<FirewallRule> wanted) {
        if (wanted.contains(rule)) return false;
        if (rule.equals(withinBridge(icc ? "DROP" : "ACCEPT"))) return true;
        boolean masquerades = rule.table().equals(NAT) && rule.chain().equals("POSTROUTING")
                && masqueradeOfAnySubnet.matcher(rule.specification()).matches();
        if (masquerades) return !masquerade || !rule.specification().startsWith("-s " + subnet + " ");
        return portOf(rule) != null && range.contains(portOf(rule));
    }

    /// The container address that a rule publishes a port of; null for other rules.
    private Ipv4 portOf(FirewallRule rule) {
        Pattern pattern = switch (rule.table() + " " + rule.chain()) {
            case "filter DOCKER" -> PORT_PASSES;
            case "nat DOCKER" -> PORT_LEADS;
            case "nat POSTROUTING" -> HAIRPIN;
            default -> null;
        };
        if (pattern == null) return null;
        var match = pattern.matcher(rule.specification());
        if (!match.matches()) return null;
        if (pattern == PORT_PASSES && !match.group(3).equals(bridge)) return null;
        try {
            return Ipv4.parse(match.group(1));
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private FirewallRule withinBridge(String verdict) {
        return filter("FORWARD", "-i " + bridge + " -o " + bridge + " -j " + verdict);
    }

    private static FirewallRule filter(String chain, String specification) {
        return new FirewallRule(FILTER, chain, specification);
    }

    private static FirewallRule nat(String chain, String specification) {
        return new FirewallRule(NAT, chain, specification);
    }
}
