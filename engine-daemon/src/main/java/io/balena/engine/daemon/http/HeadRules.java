package io.balena.engine.daemon.http;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import java.util.List;
import java.util.Optional;

/// Which heads of requests are refused before anybody looks for what they ask, as Go's server does it, which Docker's clients know.
final class HeadRules {
    private HeadRules() {}

    /// A status line without its version, and what is said in the body.
    record Refusal(String status, String text) {
        Refusal(String status) {
            this(status, status);
        }
    }

    static Optional<Refusal> refusal(HttpRequest head) {
        if (head.decoderResult().isFailure()) return Optional.of(malformed(head.decoderResult().cause()));
        if (head.protocolVersion().majorVersion() != 1) {
            return Optional.of(new Refusal("505 HTTP Version Not Supported: unsupported protocol version"));
        }
        return host(head).or(() -> encoding(head));
    }

    private static Refusal malformed(Throwable cause) {
        return switch (cause) {
            case TooLongHttpLineException _, TooLongHttpHeaderException _ -> new Refusal("431 Request Header Fields Too Large");
            default -> new Refusal("400 Bad Request");
        };
    }

    private static Optional<Refusal> host(HttpRequest head) {
        List<String> hosts = head.headers().getAll(HttpHeaderNames.HOST);
        if (hosts.size() > 1) return Optional.of(new Refusal("400 Bad Request"));
        if (hosts.isEmpty()) {
            return head.protocolVersion().minorVersion() == 0 ? Optional.empty() : Optional.of(new Refusal("400 Bad Request: missing required Host header"));
        }
        return isHost(hosts.getFirst()) ? Optional.empty() : Optional.of(new Refusal("400 Bad Request: malformed Host header"));
    }

    private static boolean isHost(String host) {
        return host.chars().allMatch(c -> c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || "!$%&'()*+,-.:;=@[]_~".indexOf(c) >= 0);
    }

    private static Optional<Refusal> encoding(HttpRequest head) {
        List<String> encodings = head.headers().getAll(HttpHeaderNames.TRANSFER_ENCODING);
        boolean known = encodings.isEmpty() || encodings.size() == 1 && encodings.getFirst().equalsIgnoreCase("chunked");
        return known ? Optional.empty() : Optional.of(new Refusal("501 Not Implemented", "Unsupported transfer encoding"));
    }
}
