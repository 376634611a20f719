package io.balena.engine.daemon;

import io.balena.engine.daemon.http.Listener;
import io.balena.engine.daemon.http.TlsFiles;
import io.balena.engine.linux.InheritedSockets;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Turns `-H` flags into listeners.
final class Sockets {
    private static final Logger LOG = System.getLogger(Sockets.class.getName());

    private Sockets() {}

    static List<Listener> listeners(EngineConfig.Api api) throws IOException {
        Optional<String> group = group(api);
        List<InheritedSockets.Inherited> inherited = api.hosts().stream().anyMatch(host -> host.startsWith("fd://"))
                ? InheritedSockets.take()
                : List.of();
        List<Listener> listeners = new ArrayList<>();
        for (String text : api.hosts()) {
            switch (Host.parse(text, api.tls().isPresent())) {
                case Host.Tcp(String host, int port) -> {
                    if (!api.tls().map(TlsFiles::verify).orElse(false)) warn(text);
                    listeners.add(new Listener.Tcp(host, port, api.tls()));
                }
                case Host.Activated(Optional<String> which) -> listeners.addAll(activated(inherited, which, api.tls(), text));
                // systemd's socket unit and a -H flag may name the same file. Who has bind-mounted it would be left with a dead one.
                case Host.Unix(Path path) when inherited.stream().anyMatch(socket -> isAt(socket, path)) ->
                        LOG.log(Level.DEBUG, "Already listening on " + path + " by socket activation");
                case Host.Unix(Path path) -> listeners.add(new Listener.Unix(path, group));
            }
        }
        return listeners;
    }

    private static void warn(String host) {
        LOG.log(Level.WARNING, "Binding to IP address without --tlsverify is insecure and gives root access on this machine "
                + "to everyone who has access to your network. host=" + host);
        LOG.log(Level.WARNING, "Binding to an IP address, even on localhost, can also give access to scripts run in a browser. "
                + "Be safe out there! host=" + host);
    }

    private static List<Listener> activated(List<InheritedSockets.Inherited> inherited, Optional<String> which, Optional<TlsFiles> tls, String text)
            throws IOException {
        List<Listener> listeners = new ArrayList<>();
        for (var socket : inherited) {
            boolean meant = which.isEmpty() || which.get().equals(Integer.toString(socket.fd())) || which.equals(socket.name());
            if (meant) listeners.add(new Listener.Inherited(socket.fd(), socket.path(), tls));
        }
        if (listeners.isEmpty()) {
            throw new IOException("failed to load listeners: no sockets found via socket activation: make sure the service was started by systemd"
                    + which.map(_ -> " (" + text + ")").orElse(""));
        }
        return listeners;
    }

    private static boolean isAt(InheritedSockets.Inherited socket, Path path) {
        if (socket.path().isEmpty()) return false;
        try {
            return Files.isSameFile(socket.path().get(), path);
        } catch (IOException e) {
            return false;
        }
    }

    private static Optional<String> group(EngineConfig.Api api) throws IOException {
        if (api.group().isEmpty()) return Optional.empty();
        try {
            Path.of("/").getFileSystem().getUserPrincipalLookupService().lookupPrincipalByGroupName(api.group());
            return Optional.of(api.group());
        } catch (IOException e) {
            if (api.groupMustExist()) throw new IOException("failed to load listeners: group " + api.group() + " not found");
            LOG.log(Level.DEBUG, "there is no group " + api.group() + ": only root can use the socket");
            return Optional.empty();
        }
    }
}
