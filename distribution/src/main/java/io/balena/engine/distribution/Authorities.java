package io.balena.engine.distribution;

import java.io.IOException;
import java.io.InputStream;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;

/// Who vouches for registries: the authorities of the operating system, where it keeps them in one of the places that Go's clients know,
/// so that one which an operator adds to the device counts here too; else those that came with Java.
final class Authorities {
    private static final Logger LOG = System.getLogger(Authorities.class.getName());
    private static final List<String> BUNDLES = List.of(
            "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem");

    private Authorities() {}

    /// They and `more`.
    static TrustManager[] and(List<? extends Certificate> more) throws IOException, GeneralSecurityException {
        Optional<List<Certificate>> system = ofTheSystem();
        if (system.isEmpty() && more.isEmpty()) return managers(null);
        List<Certificate> all = new ArrayList<>(more);
        if (system.isPresent()) all.addAll(system.get());
        else for (TrustManager manager : managers(null)) all.addAll(List.of(((javax.net.ssl.X509TrustManager) manager).getAcceptedIssuers()));
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        for (int i = 0; i < all.size(); i++) store.setCertificateEntry("authority-" + i, all.get(i));
        return managers(store);
    }

    private static TrustManager[] managers(KeyStore store) throws GeneralSecurityException {
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory.getTrustManagers();
    }

    private static Optional<List<Certificate>> ofTheSystem() {
        Stream<String> named = Stream.ofNullable(System.getenv("SSL_CERT_FILE")).filter(file -> !file.isEmpty());
        Optional<Path> bundle = Stream.concat(named, BUNDLES.stream()).map(Path::of).filter(Files::isReadable).findFirst();
        if (bundle.isEmpty()) return Optional.empty();
        try (InputStream in = Files.newInputStream(bundle.get())) {
            Collection<? extends Certificate> found = CertificateFactory.getInstance("X.509").generateCertificates(in);
            return found.isEmpty() ? Optional.empty() : Optional.of(List.copyOf(found));
        } catch (IOException | GeneralSecurityException e) {
            LOG.log(Level.WARNING, "could not read the authorities in " + bundle.get() + ", using Java's own: " + e.getMessage());
            return Optional.empty();
        }
    }
}
