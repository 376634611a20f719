package io.balena.engine.distribution;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.util.Base64;
import java.util.Optional;

/// An HTTP proxy.
///
/// @param authorization to show it, if it has to know who we are
record ProxyServer(String host, int port, Optional<String> authorization) {
    /// @param address `http://user:password@proxy.example:3128`; scheme and port may be left out
    /// @throws IllegalArgumentException when it is none, or of a kind that is not supported; the message tells no password
    static ProxyServer parse(String address) {
        URI uri;
        try {
            uri = URI.create(address.matches("[A-Za-z][A-Za-z0-9+.-]*://.*") ? address : "http://" + address);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("invalid proxy address");
        }
        if (uri.getHost() == null) throw new IllegalArgumentException("invalid proxy address");
        if (!uri.getScheme().equalsIgnoreCase("http")) {
            throw new IllegalArgumentException("proxies of scheme \"" + uri.getScheme() + "\" are not supported");
        }
        Optional<String> authorization = Optional.ofNullable(uri.getRawUserInfo()).map(ProxyServer::basic);
        return new ProxyServer(uri.getHost(), uri.getPort() < 0 ? 80 : uri.getPort(), authorization);
    }

    /// Not looked up yet: the client does it when it connects.
    InetSocketAddress address() {
        return InetSocketAddress.createUnresolved(host, port);
    }

    private static String basic(String userInfo) {
        // A plus sign is one here; only in forms does it mean a blank.
        String pair = URLDecoder.decode(userInfo.replace("+", "%2B"), UTF_8);
        return "Basic " + Base64.getEncoder().encodeToString((pair.contains(":") ? pair : pair + ":").getBytes(UTF_8));
    }

    @Override
    public String toString() {
        return host + ":" + port;
    }
}
