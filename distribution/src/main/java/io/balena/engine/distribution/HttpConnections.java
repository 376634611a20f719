package io.balena.engine.distribution;

import java.net.http.HttpClient;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/// The JDK's HTTP client, made when the first transfer needs it and closed with the last: an idle engine keeps neither its threads nor
/// its memory.
final class HttpConnections {
    enum Trust {
        /// Certificates that the system's authorities vouch for.
        AUTHORITIES,
        /// Any certificate: for registries that were declared insecure.
        ANYONE
    }

    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(30);
    /// They only move buffers and decrypt; the work is done by whoever reads.
    private static final int THREADS = 2;

    private final Map<Trust, Shared> clients = new EnumMap<>(Trust.class);

    /// Closing it may close the client.
    synchronized Lease lease(Trust trust) {
        Shared shared = clients.computeIfAbsent(trust, Shared::new);
        shared.leases++;
        return new Lease(shared);
    }

    private synchronized void giveBack(Shared shared) {
        if (--shared.leases > 0) return;
        clients.remove(shared.trust);
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
            return lease(shared.trust);
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
        private final Trust trust;
        private final ExecutorService threads;
        private final HttpClient client;
        private int leases;

        Shared(Trust trust) {
            this.trust = trust;
            this.threads = new ThreadPoolExecutor(THREADS, THREADS, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(),
                    task -> Thread.ofPlatform().daemon().name("registry").unstarted(task));
            HttpClient.Builder builder = HttpClient.newBuilder()
                    .version(HttpClient.Version.HTTP_1_1)
                    // We follow them ourselves: the JDK would carry our Authorization to the other host.
                    .followRedirects(HttpClient.Redirect.NEVER)
                    .connectTimeout(CONNECT_TIMEOUT)
                    .executor(threads);
            if (trust == Trust.ANYONE) builder.sslContext(trustingAnyone());
            this.client = builder.build();
        }
    }

    private static SSLContext trustingAnyone() {
        try {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, new TrustManager[] {new Anyone()}, new SecureRandom());
            return context;
        } catch (GeneralSecurityException e) {
            throw new AssertionError("every Java platform has TLS", e);
        }
    }

    /// The extended kind, because for the plain one the JDK checks the host name by itself.
    private static final class Anyone extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String authType) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String authType) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
