package io.balena.engine.network;

import io.balena.engine.network.address.Ip;
import io.balena.engine.network.address.Subnet;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/// Every firewall rule of a bridge for one family of addresses, as data. The same that Docker lays without its userland proxy:
///
/// ```
/// filter FORWARD ─► DOCKER-USER (the administrator's)
///                ─► DOCKER-ISOLATION-STAGE-1 ─► -STAGE-2: nothing passes from bridge to bridge
///                ─► to the bridge: answers pass, ─► DOCKER: published ports pass
///                   from the bridge: out passes; to itself: by icc
/// nat PREROUTING, OUTPUT, to an address of this machine ─► DOCKER: published ports get a new destination
///     POSTROUTING: containers leave with the machine's address; they, and the machine, enter a container by way of the bridge's
/// ```
///
/// Of an internal network, nothing but what stays on the bridge passes.
final class BridgeRules {
    static final String FILTER = "filter";
    static final String NAT = "nat";

    /// Chains shared by all bridges, of every engine on the machine; never removed.
    static final List<FirewallChain> CHAINS = List.of(
            new FirewallChain(FILTER, "DOCKER"), new FirewallChain(FILTER, "DOCKER-ISOLATION-STAGE-1"),
            new FirewallChain(FILTER, "DOCKER-ISOLATION-STAGE-2"), new FirewallChain(FILTER, "DOCKER-USER"),
            new FirewallChain(NAT, "DOCKER"));

    private static final String PORT = "-p \\S+ -m \\S+ --dport \\d+ -j ";
    private static final String HOST = "(\\S+)/(?:32|128)";
    private static final Pattern PORT_PASSES = Pattern.compile("-d " + HOST + " ! -i (\\S+) -o (\\S+) " + PORT + "ACCEPT");
    private static final Pattern PEER_PASSES = Pattern.compile("-s " + HOST + " -d " + HOST + " -i (\\S+) -o (\\S+) -p \\S+ -m \\S+ --[ds]port \\d+ -j ACCEPT");
    private static final Pattern PORT_LEADS =
            Pattern.compile("(?:-d \\S+ )?" + PORT + "DNAT --to-destination \\[?([0-9a-f.:]+?)]?:\\d+");
    private static final Pattern HAIRPIN = Pattern.compile("-s " + HOST + " -d " + HOST + " " + PORT + "MASQUERADE");

    private final String bridge;
    private final Subnet subnet;
    private final Subnet range;
    private final boolean masquerade;
    private final boolean icc;
    private final boolean internal;
    private final Pattern masqueradeOfAnySubnet;

    /// @param range the addresses that containers of this engine get: rules for others on the bridge are not ours
    BridgeRules(String bridge, Subnet subnet, Subnet range, boolean masquerade, boolean icc, boolean internal) {
        this.bridge = bridge;
        this.subnet = subnet;
        this.range = range;
        this.masquerade = masquerade;
        this.icc = icc;
        this.internal = internal;
        this.masqueradeOfAnySubnet = Pattern.compile("-s \\S+ ! -o " + Pattern.quote(bridge) + " -j MASQUERADE");
    }

    /// What every bridge needs before its own rules, in this order.
    static List<FirewallRule> common() {
        return List.of(filter("FORWARD", "-j DOCKER-USER"), filter("FORWARD", "-j DOCKER-ISOLATION-STAGE-1"));
    }

    /// What every bridge needs after all others' rules.
    static List<FirewallRule> commonLast() {
        return List.of(filter("DOCKER-ISOLATION-STAGE-1", "-j RETURN"), filter("DOCKER-ISOLATION-STAGE-2", "-j RETURN"),
                filter("DOCKER-USER", "-j RETURN"), nat("PREROUTING", "-m addrtype --dst-type LOCAL -j DOCKER"),
                nat("OUTPUT", "-m addrtype --dst-type LOCAL -j DOCKER"));
    }

    Subnet subnet() {
        return subnet;
    }

    /// For each chain, rules of this bridge that stand before those of older ones, in this order.
    List<List<FirewallRule>> first() {
        return internal ? firstOfInternal() : firstOfOpen();
    }

    private List<List<FirewallRule>> firstOfInternal() {
        var isolation = List.of(filter("DOCKER-ISOLATION-STAGE-1", "! -s " + subnet + " -o " + bridge + " -j DROP"),
                filter("DOCKER-ISOLATION-STAGE-1", "! -d " + subnet + " -i " + bridge + " -j DROP"));
        return icc ? List.of(List.of(withinBridge("ACCEPT")), isolation) : List.of(isolation);
    }

    private List<List<FirewallRule>> firstOfOpen() {
        var forward = new ArrayList<FirewallRule>();
        forward.add(filter("FORWARD", "-o " + bridge + " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"));
        forward.add(filter("FORWARD", "-o " + bridge + " -j DOCKER"));
        forward.add(filter("FORWARD", "-i " + bridge + " ! -o " + bridge + " -j ACCEPT"));
        if (icc) forward.add(withinBridge("ACCEPT"));

        var postrouting = new ArrayList<FirewallRule>();
        postrouting.add(nat("POSTROUTING", "-o " + bridge + " -m addrtype --src-type LOCAL -j MASQUERADE"));
        if (masquerade) postrouting.add(masquerade());

        return List.of(forward, postrouting,
                List.of(filter("DOCKER-ISOLATION-STAGE-1", "-i " + bridge + " ! -o " + bridge + " -j DOCKER-ISOLATION-STAGE-2")),
                List.of(filter("DOCKER-ISOLATION-STAGE-2", "-o " + bridge + " -j DROP")));
    }

    private FirewallRule masquerade() {
        return nat("POSTROUTING", "-s " + subnet + " ! -o " + bridge + " -j MASQUERADE");
    }

    /// Rules of this bridge that stand after what is there.
    List<FirewallRule> last() {
        return icc ? List.of() : List.of(withinBridge("DROP"));
    }

    /// What publishes a container's ports and opens those of its peers; each rule once, though two host ports may lead to one of the
    /// container.
    List<FirewallRule> of(Endpoint endpoint) {
        var rules = new ArrayList<FirewallRule>();
        endpoint.address(subnet.first().v6()).ifPresent(own -> {
            for (PortBinding port : endpoint.ports()) if (port.host().v6() == own.v6()) addPort(own, port, rules);
            for (Endpoint.Peer peer : endpoint.peers()) if (peer.address().v6() == own.v6()) addPeer(own, peer, rules);
        });
        return rules.stream().distinct().toList();
    }

    private void addPort(Ip own, PortBinding port, List<FirewallRule> rules) {
        String protocol = "-p " + port.protocol() + " -m " + port.protocol();
        String to = port.host().isAny() ? "" : "-d " + host(port.host()) + " ";
        rules.add(nat("DOCKER", to + protocol + " --dport " + port.hostPort()
                + " -j DNAT --to-destination " + (own.v6() ? "[" + own + "]" : own) + ":" + port.containerPort()));
        rules.add(filter("DOCKER", "-d " + host(own) + " ! -i " + bridge + " -o " + bridge + " " + protocol
                + " --dport " + port.containerPort() + " -j ACCEPT"));
        rules.add(nat("POSTROUTING", "-s " + host(own) + " -d " + host(own) + " " + protocol
                + " --dport " + port.containerPort() + " -j MASQUERADE"));
    }

    private void addPeer(Ip own, Endpoint.Peer peer, List<FirewallRule> rules) {
        String within = " -i " + bridge + " -o " + bridge + " -p " + peer.protocol() + " -m " + peer.protocol();
        rules.add(filter("DOCKER", "-s " + host(own) + " -d " + host(peer.address()) + within + " --dport " + peer.port() + " -j ACCEPT"));
        rules.add(filter("DOCKER", "-s " + host(peer.address()) + " -d " + host(own) + within + " --sport " + peer.port() + " -j ACCEPT"));
    }

    private static String host(Ip address) {
        return address + "/" + address.bits();
    }

    /// Rules that an engine on this bridge made, with other settings or for containers that are gone.
    ///
    /// @param wanted of ports, beside those of [#first] and [#last]
    boolean isStale(FirewallRule rule, Set<FirewallRule> wanted) {
        if (wanted.contains(rule)) return false;
        if (rule.equals(withinBridge(icc ? "DROP" : "ACCEPT"))) return true;
        boolean masquerades = rule.table().equals(NAT) && rule.chain().equals("POSTROUTING")
                && masqueradeOfAnySubnet.matcher(rule.specification()).matches();
        if (masquerades) return !masquerade || !rule.equals(masquerade());
        return portOf(rule) != null && range.contains(portOf(rule));
    }

    /// Whether a rule is there for this bridge alone.
    boolean owns(FirewallRule rule) {
        if (last().contains(rule) || first().stream().anyMatch(group -> group.contains(rule))) return true;
        return isStale(rule, Set.of());
    }

    /// The container address that a rule publishes a port of; null for other rules.
    private Ip portOf(FirewallRule rule) {
        Pattern pattern = switch (rule.table() + " " + rule.chain()) {
            case "filter DOCKER" -> rule.specification().startsWith("-s") ? PEER_PASSES : PORT_PASSES;
            case "nat DOCKER" -> PORT_LEADS;
            case "nat POSTROUTING" -> HAIRPIN;
            default -> null;
        };
        if (pattern == null) return null;
        var match = pattern.matcher(rule.specification());
        if (!match.matches()) return null;
        if ((pattern == PORT_PASSES || pattern == PEER_PASSES) && !match.group(3).equals(bridge)) return null;
        try {
            return Ip.parse(match.group(1));
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
