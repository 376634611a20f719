package io.balena.engine.dns;

import io.balena.engine.linux.NetworkNamespace;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/// Answers the questions of all containers, on one thread. Safe for use by many threads.
public final class Resolver implements AutoCloseable {
    private final SocketLoop loop = new SocketLoop();
    private final Home home = new Home();
    private final KernelRandom random = new KernelRandom();
    private final NameTable table = new NameTable();
    private final Map<String, Outlet> outlets = new HashMap<>();

    /// @throws IOException when the process has no descriptors left, or the like
    public Resolver() throws IOException {
        Thread thread = new Thread(null, loop, "names", 0);
        thread.setDaemon(true);
        thread.start();
    }

    /// Lets a container be found, and have its questions answered; or changes what is known of it. When this returns, 127.0.0.11 answers.
    ///
    /// @param pid of a process in its network namespace, whose `lo` is up
    public void put(ContainerNames names, int pid) throws IOException {
        NetworkNamespace namespace = NetworkNamespace.ofProcess(pid);
        boolean opened = loop.call(() -> putNow(names, pid, namespace));
        if (!opened) return;
        // Nobody else changes this container meanwhile.
        Outlet outlet = loop.call(() -> outlets.get(names.container()));
        try {
            new Redirection(outlet.ports()).apply(outlet.namespace());
        } catch (IOException e) {
            remove(names.container());
            throw e;
        }
    }

    /// @return whether it was not there before
    private boolean putNow(ContainerNames names, int pid, NetworkNamespace namespace) throws IOException {
        Outlet known = outlets.get(names.container());
        if (known != null && known.pid() == pid) {
            namespace.close();
            known.change(names);
            table.put(names);
            return false;
        }
        if (known != null) removeNow(names.container());
        outlets.put(names.container(), Outlet.open(names, pid, namespace, home, loop, table, random));
        table.put(names);
        return true;
    }

    /// Forgets a container. Does nothing when it is not known.
    public void remove(String container) throws IOException {
        loop.call(() -> removeNow(container));
    }

    private Void removeNow(String container) {
        table.remove(container);
        Outlet outlet = outlets.remove(container);
        if (outlet != null) outlet.close();
        return null;
    }

    @Override
    public void close() throws IOException {
        loop.call(() -> {
            for (Outlet outlet : outlets.values()) outlet.close();
            outlets.clear();
            return null;
        });
        loop.close();
        home.close();
    }
}
