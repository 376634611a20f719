package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A private key in a PEM file, as `openssl` has written them over the years. Java reads the newest form only, into which the older ones
/// are wrapped:
///
/// ```
/// PRIVATE KEY       PKCS#8: SEQUENCE { INTEGER 0, SEQUENCE { algorithm, parameters }, OCTET STRING { key } }
/// RSA PRIVATE KEY   PKCS#1: the key alone
/// EC PRIVATE KEY    SEC 1:  SEQUENCE { INTEGER 1, OCTET STRING, [0] { curve }, [1] { public key } }
/// ```
///
/// @see <a href="https://www.rfc-editor.org/rfc/rfc5958">RFC 5958</a>, RFC 8017 (appendix A.1.2), RFC 5915
public final class PrivateKeyFile {
    private static final Pattern PEM =
            Pattern.compile("-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----([A-Za-z0-9+/=\\s]*+)-----END \\1-----");
    private static final byte[] ZERO = HexFormat.of().parseHex("020100");
    private static final byte[] RSA = HexFormat.of().parseHex("300d06092a864886f70d0101010500");
    private static final byte[] EC_PUBLIC_KEY = HexFormat.of().parseHex("06072a8648ce3d0201");
    private static final int SEQUENCE = 0x30;
    private static final int OCTETS = 0x04;
    private static final int CURVE = 0xa0;

    private PrivateKeyFile() {}

    /// @throws IOException with Go's words when there is no key in it, or one of an unknown kind
    public static PrivateKey read(Path file) throws IOException, GeneralSecurityException {
        Matcher pem = PEM.matcher(Files.readString(file, ISO_8859_1));
        if (!pem.find()) throw new IOException("tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input " + file);
        byte[] der = Base64.getMimeDecoder().decode(pem.group(2));
        byte[] pkcs8 = switch (pem.group(1)) {
            case "RSA PRIVATE KEY" -> der(SEQUENCE, ZERO, RSA, der(OCTETS, der));
            case "EC PRIVATE KEY" -> der(SEQUENCE, ZERO, der(SEQUENCE, EC_PUBLIC_KEY, curve(der, file)), der(OCTETS, der));
            default -> der;
        };
        for (String algorithm : List.of("RSA", "EC", "EdDSA")) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
            } catch (GeneralSecurityException e) {
                // Another kind of key.
            }
        }
        throw new IOException("tls: failed to parse private key " + file);
    }

    /// The curve's name, which stands in a field of the key of its own.
    private static byte[] curve(byte[] sec1, Path file) throws IOException {
        int at = 2 + (sec1.length > 1 && sec1[1] < 0 ? sec1[1] & 0x7f : 0);
        while (at + 1 < sec1.length) {
            int length = sec1[at + 1];
            if (length < 0 || at + 2 + length > sec1.length) break;
            if ((sec1[at] & 0xff) == CURVE) return Arrays.copyOfRange(sec1, at + 2, at + 2 + length);
            at += 2 + length;
        }
        throw new IOException("x509: unknown elliptic curve in " + file);
    }

    private static byte[] der(int tag, byte[]... parts) {
        var content = new ByteArrayOutputStream();
        for (byte[] part : parts) content.writeBytes(part);
        var whole = new ByteArrayOutputStream();
        whole.write(tag);
        int length = content.size();
        if (length < 0x80) whole.write(length);
        else {
            whole.write(0x82);
            whole.write(length >> 8);
            whole.write(length);
        }
        whole.writeBytes(content.toByteArray());
        return whole.toByteArray();
    }
}
