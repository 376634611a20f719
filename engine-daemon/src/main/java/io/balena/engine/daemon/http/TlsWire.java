package io.balena.engine.daemon.http;

import io.balena.engine.distribution.PrivateKeyFile;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.List;

/// TLS 1.2 and 1.3 by the JDK's engine. Loaded only when a listener asks for it.
final class TlsWire implements Wire {
    private final SslContext context;

    private TlsWire(SslContext context) {
        this.context = context;
    }

    /// @throws IOException with dockerd's words when a file cannot be used
    static TlsWire open(TlsFiles files) throws IOException {
        List<X509Certificate> chain = chain(files);
        try {
            PrivateKey key = PrivateKeyFile.read(files.key());
            requirePair(chain.getFirst(), key);
            var builder = SslContextBuilder.forServer(key, chain.toArray(X509Certificate[]::new))
                    .sslProvider(SslProvider.JDK)
                    .protocols("TLSv1.2", "TLSv1.3");
            if (files.verify()) builder.clientAuth(ClientAuth.REQUIRE).trustManager(authorities(files.authority()));
            return new TlsWire(builder.build());
        } catch (NoSuchFileException e) {
            throw notThere(files, files.key());
        } catch (GeneralSecurityException e) {
            throw unusable(files, e.getMessage());
        } catch (IOException e) {
            if (e.getMessage() != null && e.getMessage().startsWith("tls: ")) throw unusable(files, e.getMessage());
            throw e;
        }
    }

    @Override
    public void install(ChannelPipeline pipeline) {
        var handler = new SslHandler(context.newEngine(pipeline.channel().alloc()));
        handler.setHandshakeTimeoutMillis(HttpConnection.HEAD_SECONDS * 1000L);
        pipeline.addLast(handler, new EndOfInput());
    }

    @Override
    public void endOutput(Channel channel) {
        channel.pipeline().get(SslHandler.class).closeOutbound().addListener(_ -> ((DuplexChannel) channel).shutdownOutput());
    }

    /// A client that has nothing more to send says so by `close_notify` here.
    private static final class EndOfInput extends ChannelInboundHandlerAdapter {
        @Override
        public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
            ctx.fireUserEventTriggered(event == SslCloseCompletionEvent.SUCCESS ? ChannelInputShutdownEvent.INSTANCE : event);
        }
    }

    private static List<X509Certificate> chain(TlsFiles files) throws IOException {
        try {
            return certificates(files.certificate());
        } catch (NoSuchFileException e) {
            throw notThere(files, files.certificate());
        } catch (CertificateException e) {
            throw unusable(files, "tls: failed to find any PEM data in certificate input");
        }
    }

    private static List<X509Certificate> authorities(Path file) throws IOException {
        try {
            return certificates(file);
        } catch (NoSuchFileException e) {
            throw new IOException("could not read CA certificate \"" + file + "\": open " + file + ": no such file or directory");
        } catch (CertificateException e) {
            throw new IOException("failed to append certificates from PEM file: \"" + file + "\"");
        }
    }

    private static List<X509Certificate> certificates(Path file) throws IOException, CertificateException {
        try (InputStream in = Files.newInputStream(file)) {
            List<X509Certificate> found = CertificateFactory.getInstance("X.509").generateCertificates(in).stream()
                    .map(X509Certificate.class::cast).toList();
            if (found.isEmpty()) throw new CertificateException("no certificate in " + file);
            return found;
        }
    }

    // The handshake would fail otherwise, with each client and without a word about the reason.
    private static void requirePair(X509Certificate certificate, PrivateKey key) throws GeneralSecurityException, IOException {
        String algorithm = switch (key.getAlgorithm()) {
            case "RSA" -> "SHA256withRSA";
            case "EC" -> "SHA256withECDSA";
            default -> key.getAlgorithm();
        };
        Signature signature = Signature.getInstance(algorithm);
        byte[] probe = {1, 2, 3};
        signature.initSign(key);
        signature.update(probe);
        byte[] signed = signature.sign();
        try {
            signature.initVerify(certificate.getPublicKey());
            signature.update(probe);
            if (signature.verify(signed)) return;
        } catch (java.security.InvalidKeyException | SignatureException e) {
            // A key of another kind or size does not fit either.
        }
        throw new IOException("tls: private key does not match public key");
    }

    private static IOException notThere(TlsFiles files, Path missing) {
        return new IOException("Could not load X509 key pair (cert: \"" + files.certificate() + "\", key: \"" + files.key() + "\"): open "
                + missing + ": no such file or directory");
    }

    private static IOException unusable(TlsFiles files, String why) {
        return new IOException("Error reading X509 key pair (cert: \"" + files.certificate() + "\", key: \"" + files.key() + "\"): " + why
                + ". Make sure the key is not encrypted.");
    }
}
