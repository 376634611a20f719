package io.balena.engine.dns;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.balena.engine.dns.ContainerNames.Membership;
import io.balena.engine.dns.ContainerNames.Server;
import io.balena.engine.linux.NetworkNamespace;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// The resolver in namespaces of its own: one that stands for the machine's, and one for a container's.
class ResolverIT {
    @BeforeAll static void assumePossible() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/dig")), "needs dig");
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
    }

    @Test void aLoopbackServerOfTheMachinesIsAskedFromTheMachine() throws Exception {
        NetworkNamespace.callInNew(() -> {
            run("ip", "link", "set", "lo", "up");
            try (var server = new DatagramSocket(new InetSocketAddress("127.0.0.1", 53)); var resolver = new Resolver()) {
                answer(server);
                var container = new ProcessBuilder("unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec sleep 1000").start();
                try {
                    assertEquals("up", container.inputReader().readLine());
                    int pid = (int) container.pid();
                    resolver.put(names(true), pid);
                    assertEquals("192.0.2.9", ask(pid, "outside.example"));
                    assertEquals("10.0.0.2", ask(pid, "web"));
                    resolver.put(names(false), pid);
                    assertEquals("", ask(pid, "outside.example"), "in the container there is no such server");
                    resolver.remove("c");
                    assertEquals(0, count("/proc/self/task", pid), "no thread of this process is, or stays, in the container's namespace");
                } finally {
                    container.destroyForcibly().waitFor();
                }
            }
            return null;
        });
    }

    private static ContainerNames names(boolean ofHost) throws IOException {
        return new ContainerNames("c", List.of(new Membership("id", "net", List.of(InetAddress.ofLiteral("10.0.0.2")), List.of("web"), Map.of())),
                List.of(new Server(InetAddress.ofLiteral("127.0.0.1"), ofHost)), false);
    }

    private static int count(String tasks, int pid) throws IOException {
        Path container = Files.readSymbolicLink(Path.of("/proc/" + pid + "/ns/net"));
        int count = 0;
        try (var each = Files.newDirectoryStream(Path.of(tasks))) {
            for (Path task : each) if (Files.readSymbolicLink(task.resolve("ns/net")).equals(container)) count++;
        }
        return count;
    }

    /// Says 192.0.2.9 to everything.
    private static void answer(DatagramSocket server) {
        Thread.ofPlatform().daemon().start(() -> {
            var packet = new DatagramPacket(new byte[512], 512);
            try {
                while (true) {
                    server.receive(packet);
                    var query = DnsQuery.parse(Arrays.copyOf(packet.getData(), packet.getLength()));
                    byte[] reply = DnsReply.addresses(query, List.of(InetAddress.ofLiteral("192.0.2.9")), 512);
                    server.send(new DatagramPacket(reply, reply.length, packet.getSocketAddress()));
                }
            } catch (IOException | MalformedQuery e) {
                // The socket was closed.
            }
        });
    }

    private static String ask(int pid, String name) throws Exception {
        return run("nsenter", "-t", Integer.toString(pid), "-n", "dig", "+short", "+time=10", "+tries=1", "@127.0.0.11", name);
    }

    private static String run(String... words) throws Exception {
        var process = new ProcessBuilder(words).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        assertEquals(0, process.waitFor(), output);
        return output.strip();
    }
}
