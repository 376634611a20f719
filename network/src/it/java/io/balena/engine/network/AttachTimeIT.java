package io.balena.engine.network;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/// What a network adds to the start of a container. The limits are generous, for a loaded machine; the times are printed.
@ExtendWith(OwnMachine.class)
class AttachTimeIT {
    private static final int ROUNDS = 40;

    @TempDir
    Path state;

    private final BridgeSetup config = new BridgeSetup("balena0", Optional.empty(), 0, true, true, true, true);

    @Test
    void aContainerIsOnTheNetworkInAFewMilliseconds() throws IOException {
        try (var network = OneBridge.open(config, state)) {
            timeRounds(network, List.of());
            var plain = timeRounds(network, List.of());
            var published = timeRounds(network, List.of(new PortBinding("tcp", 80, "", 8080)));
            System.out.println("medians of " + ROUNDS + ": " + plain + "; with a published port: " + published);
            assertTrue(plain.attach().toMillis() < 100, "plain: " + plain);
            assertTrue(published.attach().toMillis() < 200, "published: " + published);
        }
    }

    private record Medians(Duration attach, Duration release) {
        @Override
        public String toString() {
            return "allocate and attach " + attach.toNanos() / 1000 + " µs, release " + release.toNanos() / 1000 + " µs";
        }
    }

    private static Medians timeRounds(OneBridge network, List<PortBinding> ports) throws IOException {
        var attaching = new ArrayList<Duration>();
        var releasing = new ArrayList<Duration>();
        for (int i = 0; i < ROUNDS; i++) {
            try (var container = Host.start()) {
                long begin = System.nanoTime();
                var endpoint = network.allocate("c", Optional.empty(), ports);
                network.attach(endpoint, container.pid());
                attaching.add(Duration.ofNanos(System.nanoTime() - begin));
            }
            long begin = System.nanoTime();
            network.release("c");
            releasing.add(Duration.ofNanos(System.nanoTime() - begin));
        }
        return new Medians(median(attaching), median(releasing));
    }

    private static Duration median(List<Duration> times) {
        times.sort(null);
        return times.get(times.size() / 2);
    }

    @Test
    void manyContainersAttachedAtOnceGetAddressesAndPortsOfTheirOwn() throws Exception {
        int count = 24;
        var hosts = new ArrayList<Host>();
        try (var network = OneBridge.open(config, state)) {
            String rules = DefaultBridgeIT.rules();
            for (int i = 0; i < count; i++) hosts.add(Host.start());
            long begin = System.nanoTime();
            var endpoints = atOnce(count, i -> {
                var endpoint = network.allocate("c" + i, Optional.empty(), List.of(new PortBinding("tcp", 80, "", 0)));
                network.attach(endpoint, hosts.get(i).pid());
                return endpoint;
            });
            System.out.println("attaching " + count + " containers with a port each at once: " + (System.nanoTime() - begin) / 1_000_000 + " ms");
            var addresses = new HashSet<String>();
            var ports = new HashSet<Integer>();
            for (int i = 0; i < count; i++) {
                addresses.add(OneBridge.address(endpoints.get(i)));
                ports.add(endpoints.get(i).ports().getFirst().hostPort());
                hosts.get(i).serveTcp(80);
                assertEquals("172.17.0.1", Host.tcp("127.0.0.1", endpoints.get(i).ports().getFirst().hostPort()));
            }
            assertEquals(count, addresses.size());
            assertEquals(count, ports.size());
            atOnce(count, i -> {
                network.release("c" + i);
                return null;
            });
            assertEquals(rules, DefaultBridgeIT.rules());
            assertEquals("", Shell.run("ip", "link", "show", "type", "veth"));
        } finally {
            for (Host host : hosts) host.close();
        }
    }

    private interface Numbered<T> {
        T run(int number) throws Exception;
    }

    /// On threads of their own, started here: they are in this machine's network namespace.
    private static <T> List<T> atOnce(int count, Numbered<T> work) throws Exception {
        var tasks = new ArrayList<FutureTask<T>>();
        for (int i = 0; i < count; i++) {
            int number = i;
            var task = new FutureTask<>((Callable<T>) () -> work.run(number));
            tasks.add(task);
            Thread.ofPlatform().start(task);
        }
        var results = new ArrayList<T>();
        for (var task : tasks) results.add(task.get());
        return results;
    }
}
