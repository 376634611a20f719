package io.balena.engine.distribution;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;

/// What an operator has put into `certs.d/<host>[:<port>]` for one registry:
///
/// ```
/// *.crt              authorities that may vouch for it, besides the usual ones
/// client.cert        shows who we are, with those that vouch for it behind it
/// client.key         the key to client.cert
/// ```
///
/// @see <a href="https://docs.docker.com/engine/security/certificates/">Docker, verify repository client with certificates</a>
record CertificateFolder(List<Certificate> authorities, List<Identity> identities) {
    /// @param chain our certificate first
    record Identity(PrivateKey key, List<Certificate> chain) {}

    /// @return nothing when there is no such folder
    /// @throws IOException in dockerd's words when a key lacks its certificate or a certificate its key
    static CertificateFolder read(Path folder) throws IOException, GeneralSecurityException {
        List<Certificate> authorities = new ArrayList<>();
        List<Identity> identities = new ArrayList<>();
        List<String> names = names(folder);
        for (String name : names) {
            if (name.endsWith(".crt")) authorities.addAll(certificates(folder.resolve(name)));
            if (name.endsWith(".cert")) identities.add(identity(folder, name, names));
            if (name.endsWith(".key")) {
                String certificate = stem(name, ".key") + ".cert";
                if (!names.contains(certificate)) throw new IOException("Missing client certificate " + certificate + " for key " + name);
            }
        }
        return new CertificateFolder(List.copyOf(authorities), List.copyOf(identities));
    }

    /// @return who we say we are, to whoever asks; null for nobody
    static KeyManager[] keys(List<CertificateFolder> folders) throws IOException, GeneralSecurityException {
        List<Identity> identities = folders.stream().flatMap(folder -> folder.identities.stream()).toList();
        if (identities.isEmpty()) return null;
        char[] inMemory = new char[0];
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, inMemory);
        for (int i = 0; i < identities.size(); i++) {
            Identity identity = identities.get(i);
            store.setKeyEntry("identity-" + i, identity.key, inMemory, identity.chain.toArray(Certificate[]::new));
        }
        KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, inMemory);
        return factory.getKeyManagers();
    }

    private static Identity identity(Path folder, String name, List<String> names) throws IOException, GeneralSecurityException {
        String key = stem(name, ".cert") + ".key";
        if (!names.contains(key)) {
            throw new IOException("missing key " + key + " for client certificate " + name
                    + ". Note that CA certificates should use the extension .crt");
        }
        List<Certificate> chain = certificates(folder.resolve(name));
        if (chain.isEmpty()) throw new IOException("tls: failed to find any PEM data in certificate input " + folder.resolve(name));
        return new Identity(PrivateKeyFile.read(folder.resolve(key)), chain);
    }

    private static List<Certificate> certificates(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return List.copyOf(CertificateFactory.getInstance("X.509").generateCertificates(in));
        } catch (CertificateException e) {
            throw new IOException("could not read the certificates in " + file + ": " + e.getMessage(), e);
        }
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        } catch (NoSuchFileException | NotDirectoryException e) {
            return List.of();
        }
    }

    private static String stem(String name, String extension) {
        return name.substring(0, name.length() - extension.length());
    }
}
