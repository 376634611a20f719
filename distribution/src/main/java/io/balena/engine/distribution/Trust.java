package io.balena.engine.distribution;

import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;

/// Whose certificates will do for a registry, and what we show it of our own.
///
/// @param anyCertificate it was declared insecure
/// @param folders of certificates for it; see [CertificateFolder]
record Trust(boolean anyCertificate, List<Path> folders) {
    static Trust anyone() {
        return new Trust(true, List.of());
    }

    static Trust authorities() {
        return new Trust(false, List.of());
    }

    static Trust authoritiesAnd(List<Path> folders) {
        return new Trust(false, folders);
    }

    /// @throws DistributionException.Unavailable when a certificate or key cannot be used, in dockerd's words
    SSLContext context() {
        try {
            return anyCertificate ? context(null, new TrustManager[] {new AnyCertificate()}) : certified();
        } catch (IOException | GeneralSecurityException e) {
            throw new DistributionException.Unavailable(e.getMessage(), e);
        }
    }

    private SSLContext certified() throws IOException, GeneralSecurityException {
        List<CertificateFolder> read = new ArrayList<>();
        for (Path folder : folders) read.add(CertificateFolder.read(folder));
        TrustManager[] trusted = Authorities.and(read.stream().flatMap(folder -> folder.authorities().stream()).toList());
        return context(CertificateFolder.keys(read), trusted);
    }

    private static SSLContext context(KeyManager[] ours, TrustManager[] trusted) throws GeneralSecurityException {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(ours, trusted, new SecureRandom());
        return context;
    }
}
