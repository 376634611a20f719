package io.balena.engine.network;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// An engine that makes networks, puts containers on them, takes them off and removes them again, until it is killed. A process of its
/// own: `KilledEngine <folder> <pid of a container> …`
final class KilledEngine {
    private KilledEngine() {}

    public static void main(String[] arguments) throws IOException {
        var folder = Path.of(arguments[0]);
        List<Integer> pids = List.of(arguments).stream().skip(1).map(Integer::parseInt).toList();
        try (var engine = OwnEngine.open(folder)) {
            System.out.println("ready");
            for (int round = 0; ; round++) {
                var one = engine.create("one" + round, "10.1.0.0/24", "fd00:1::/64");
                var two = engine.networks().create(OwnEngine.request("two" + round, "bridge", Map.of("com.docker.network.bridge.name", "two0"), "10.2.0.0/24"));
                for (int i = 0; i < pids.size(); i++) {
                    String container = "c" + i;
                    var port = new PortBinding("tcp", 80, "", 8080 + i);
                    var endpoints = engine.sandboxes().reserve(List.of(OwnEngine.wish(one, container, "eth0", port)));
                    engine.sandboxes().attach(container, endpoints, pids.get(i));
                    engine.sandboxes().connect(OwnEngine.wish(two, container, "eth1", port));
                }
                for (int i = 0; i < pids.size(); i++) {
                    engine.sandboxes().disconnect("c" + i, one, List.of(new PortBinding("tcp", 80, "", 8080 + i)));
                    engine.sandboxes().leave("c" + i);
                }
                engine.networks().remove(one.id());
                engine.networks().remove(two.id());
                System.out.println("round");
            }
        }
    }
}
