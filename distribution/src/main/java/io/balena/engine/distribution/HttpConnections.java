package io.balena.engine.distribution;

import java.io.IOException;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;

/// The JDK's HTTP client, made when the first transfer needs it and closed with the last: an idle engine keeps neither its threads nor
/// its memory.
final class HttpConnections {
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(30);
    /// They only move buffers and decrypt; the work is done by whoever reads.
    private static final int THREADS = 2;
    private static final String WITHHELD = "jdk.http.auth.tunneling.disabledSchemes";

    /// Who is at the other end, and on the way there.
    private record Peers(Trust trust, Proxies proxies) {}

    private final Map<Peers, Shared> clients = new HashMap<>();

    static {
        // The JDK keeps passwords from proxies that tunnel, lest somebody listen on the way there. Who configures one means it.
        if (System.getProperty(WITHHELD) == null) System.setProperty(WITHHELD, "");
    }

    /// Closing it may close the client.
    ///
    /// @throws DistributionException.Unavailable when certificates for it cannot be used
    synchronized Lease lease(Trust trust, Proxies proxies) {
        return lease(new Peers(trust, proxies));
    }

    private synchronized Lease lease(Peers peers) {
        Shared shared = clients.computeIfAbsent(peers, Shared::new);
        shared.leases++;
        return new Lease(shared);
    }

    private synchronized void giveBack(Shared shared) {
        if (--shared.leases > 0) return;
        clients.remove(shared.peers);
        shared.client.shutdownNow();
        shared.threads.shutdown();
    }

    final class Lease implements AutoCloseable {
        private final Shared shared;
        private boolean closed;

        private Lease(Shared shared) {
            this.shared = shared;
        }

        HttpClient client() {
            return shared.client;
        }

        Lease another() {
            return lease(shared.peers);
        }

        @Override
        public void close() {
            synchronized (HttpConnections.this) {
                if (closed) return;
                closed = true;
            }
            giveBack(shared);
        }
    }

    private static final class Shared {
        private final Peers peers;
        private final ExecutorService threads;
        private final HttpClient client;
        private int leases;

        Shared(Peers peers) {
            this.peers = peers;
            SSLContext tls = peers.trust.context();
            this.threads = new ThreadPoolExecutor(THREADS, THREADS, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(),
                    task -> Thread.ofPlatform().daemon().name("registry").unstarted(task));
            this.client = HttpClient.newBuilder()
                    .version(HttpClient.Version.HTTP_1_1)
                    // We follow them ourselves: the JDK would carry our Authorization to the other host.
                    .followRedirects(HttpClient.Redirect.NEVER)
                    .connectTimeout(CONNECT_TIMEOUT)
                    .proxy(new Chosen(peers.proxies))
                    .sslContext(tls)
                    .executor(threads)
                    .build();
        }
    }

    private static final class Chosen extends ProxySelector {
        private final Proxies proxies;

        Chosen(Proxies proxies) {
            this.proxies = proxies;
        }

        @Override
        public List<Proxy> select(URI target) {
            return List.of(proxies.forRequest(target).map(server -> new Proxy(Proxy.Type.HTTP, server.address())).orElse(Proxy.NO_PROXY));
        }

        @Override
        public void connectFailed(URI target, SocketAddress proxy, IOException failure) {
            // The failure is the answer to the request.
        }
    }
}
