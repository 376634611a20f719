package io.balena.engine.daemon;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The daemon as systemd and an administrator see it: flags, files, sockets, signals.
@Timeout(120)
class DaemonIT {
    @TempDir
    private Path folder;

    @BeforeEach
    void needRoot() {
        Tools.needRoot();
    }

    private DaemonProcess start(String... flags) throws IOException {
        return DaemonProcess.start(folder, List.of(), flags);
    }

    private String host() {
        return "--host=unix://" + folder.resolve("api.sock");
    }

    private static String ping(Path socket) throws IOException {
        try (var client = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            client.connect(UnixDomainSocketAddress.of(socket));
            client.write(ByteBuffer.wrap("GET /_ping HTTP/1.0\r\n\r\n".getBytes(UTF_8)));
            return new String(Channels.newInputStream(client).readAllBytes(), UTF_8);
        }
    }

    @Test
    void itServesUntilItIsAskedToStopAndLeavesNothingBehind() throws Exception {
        var daemon = start(host(), "-D");
        assertTrue(ping(daemon.ready().socket).endsWith("OK"));
        assertTrue(Files.exists(folder.resolve("engine.pid")));
        assertEquals(0, daemon.stop());
        assertFalse(Files.exists(daemon.socket));
        assertFalse(Files.exists(folder.resolve("engine.pid")));
        assertTrue(daemon.log().contains("level=info msg=\"API listen on " + daemon.socket + "\""), daemon.log());
    }

    @Test
    void aSecondOneOnTheSameFilesRefusesAndHarmsNothing() throws Exception {
        try (var first = start(host()).ready()) {
            var second = start("--host=unix://" + folder.resolve("other.sock"));
            assertEquals(1, second.end());
            assertTrue(second.log().contains("pid file found, ensure docker is not running or delete " + folder.resolve("engine.pid")), second.log());
            var third = start("--host=unix://" + folder.resolve("other.sock"), "--pidfile=" + folder.resolve("other.pid"));
            assertEquals(1, third.end());
            assertTrue(third.log().contains("another engine is using " + folder.resolve("data")), third.log());
            assertTrue(ping(first.socket).endsWith("OK"));
            assertTrue(Files.exists(folder.resolve("engine.pid")));
        }
    }

    @Test
    void whatAKilledOneLeftIsNoObstacle() throws Exception {
        start(host()).ready().kill();
        assertTrue(Files.exists(folder.resolve("api.sock")) && Files.exists(folder.resolve("engine.pid")));
        try (var daemon = start(host()).ready()) {
            assertTrue(ping(daemon.socket).endsWith("OK"));
        }
    }

    @Test
    void aPidThatBelongsToAnotherProgramByNowIsNoObstacle() throws Exception {
        Files.writeString(folder.resolve("engine.pid"), "1\n");
        try (var daemon = start(host()).ready()) {
            assertTrue(ping(daemon.socket).endsWith("OK"));
        }
    }

    @Test
    void mistakesInFlagsAndFilesAreToldBeforeAnythingIsTouched() throws Exception {
        var unknown = start("--foo");
        assertEquals(1, unknown.end());
        assertEquals("unknown flag: --foo\nSee 'balena-engine-daemon --help'.\n", unknown.log());
        Path file = folder.resolve("daemon.json");
        Files.writeString(file, "{\"hosts\":[\"unix:///tmp/x\"]}");
        var conflict = start(host(), "--config-file=" + file);
        assertEquals(1, conflict.end());
        assertTrue(conflict.log().contains("the following directives are specified both as a flag and in the configuration file: hosts: "
                + "(from flag: [unix://" + folder.resolve("api.sock") + "], from file: [unix:///tmp/x])"), conflict.log());
        assertFalse(Files.exists(folder.resolve("data")));
    }

    @Test
    void aGroupThatDoesNotExistIsRefused() throws Exception {
        var daemon = start(host(), "--group=nosuchgroup");
        assertEquals(1, daemon.end());
        assertTrue(daemon.log().contains("group nosuchgroup not found"), daemon.log());
    }

    @Test
    void systemdIsToldWhenItIsReadyAndWhenItStops() throws Exception {
        Path notices = folder.resolve("notices");
        Path socket = folder.resolve("notify.sock");
        Process receiver = new ProcessBuilder(Tools.need("socat"), "-u", "UNIX-RECV:" + socket, "-").redirectOutput(notices.toFile()).start();
        try {
            while (!Files.exists(socket)) Thread.yield();
            var daemon = DaemonProcess.start(folder, List.of("/usr/bin/env", "NOTIFY_SOCKET=" + socket), host());
            daemon.ready();
            daemon.stop();
            for (int i = 0; i < 1000 && !Files.readString(notices).contains("STOPPING"); i++) Thread.yield();
            assertEquals("READY=1STOPPING=1", Files.readString(notices));
        } finally {
            receiver.destroy();
            receiver.waitFor();
        }
    }

    @Test
    void systemdsWatchdogIsToldAgainAndAgainThatTheApiAnswers() throws Exception {
        Path notices = folder.resolve("notices");
        Path socket = folder.resolve("notify.sock");
        Process receiver = new ProcessBuilder(Tools.need("socat"), "-u", "UNIX-RECV:" + socket, "-").redirectOutput(notices.toFile()).start();
        try {
            while (!Files.exists(socket)) Thread.yield();
            var daemon = DaemonProcess.start(folder, List.of("/usr/bin/env", "NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=200000"), host());
            daemon.ready();
            long end = System.nanoTime() + 60_000_000_000L;
            while (Files.readString(notices).split("WATCHDOG=1", -1).length < 4 && System.nanoTime() < end) Thread.yield();
            daemon.stop();
            assertTrue(Files.readString(notices).startsWith("READY=1WATCHDOG=1WATCHDOG=1WATCHDOG=1"), Files.readString(notices));
        } finally {
            receiver.destroy();
            receiver.waitFor();
        }
    }

    @Test
    void socketsOfSystemdAreServedAndTheirFilesLeftAlone() throws Exception {
        Path socket = folder.resolve("activated.sock");
        int port;
        try (var free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        var activate = List.of(Tools.need("systemd-socket-activate"), "--listen=" + socket, "--listen=127.0.0.1:" + port);
        // The same path by both ways, as the unit files of devices have it.
        var daemon = DaemonProcess.start(folder, activate, "--host=fd://", "--host=unix://" + socket, host());
        while (!Files.exists(socket)) Thread.yield();
        Object inode = Files.getAttribute(socket, "unix:ino");
        assertTrue(ping(socket).endsWith("OK"));
        assertEquals(inode, Files.getAttribute(socket, "unix:ino"));
        assertTrue(ping(daemon.ready().socket).endsWith("OK"));
        try (var client = new Socket("127.0.0.1", port)) {
            client.getOutputStream().write("GET /_ping HTTP/1.0\r\n\r\n".getBytes(UTF_8));
            assertTrue(new String(client.getInputStream().readAllBytes(), UTF_8).endsWith("OK"));
        }
        assertEquals(0, daemon.stop());
        assertTrue(Files.exists(socket));
    }

    @Test
    void activationWithoutSystemdIsRefused() throws Exception {
        var daemon = start("--host=fd://");
        assertEquals(1, daemon.end());
        assertTrue(daemon.log().contains("no sockets found via socket activation"), daemon.log());
    }
}
