package io.balena.engine.network;

import io.balena.engine.linux.Route;
import io.balena.engine.linux.Rtnetlink;
import io.balena.engine.network.address.Ip;
import io.balena.engine.network.address.Subnet;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Networks this machine reaches, and its resolvers: a bridge over one of those would cut it off.
final class BusySubnets {
    private static final Logger LOG = System.getLogger(BusySubnets.class.getName());

    private BusySubnets() {}

    static List<Subnet> of(Rtnetlink netlink) throws IOException {
        var taken = new ArrayList<Subnet>();
        for (Route route : netlink.routes()) {
            if (route.prefixLength() > 0) taken.add(Subnet.around(Ip.of(route.destination()), route.prefixLength()));
        }
        for (var own : netlink.addresses()) taken.add(Subnet.around(Ip.of(own.address()), own.prefixLength()));
        taken.addAll(resolvers());
        return taken;
    }

    private static List<Subnet> resolvers() {
        var resolvers = new ArrayList<Subnet>();
        try {
            for (String line : Files.readAllLines(Path.of("/etc/resolv.conf"))) {
                String[] words = line.strip().split("\\s+");
                if (words.length < 2 || !words[0].equals("nameserver") || words[1].indexOf('%') >= 0) continue;
                Ip resolver = Ip.parse(words[1]);
                resolvers.add(Subnet.around(resolver, resolver.bits()));
            }
        } catch (IOException | IllegalArgumentException e) {
            LOG.log(Level.DEBUG, "resolvers are not considered in the choice of a network", e);
        }
        return resolvers;
    }
}
