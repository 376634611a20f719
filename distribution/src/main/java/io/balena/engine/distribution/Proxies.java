package io.balena.engine.distribution;

import java.net.InetAddress;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// Which proxy a request goes through, by the rules of Go's HTTP client, which dockerd's users know.
///
/// Nothing on this machine is ever asked for through a proxy. What cannot be used as one is told when it would be used: an engine starts
/// with a wrong variable in its environment, too.
///
/// @see <a href="https://pkg.go.dev/golang.org/x/net/http/httpproxy">golang.org/x/net/http/httpproxy</a>
public final class Proxies {
    private static final int ANY_PORT = -1;

    /// What is reached without a proxy.
    private sealed interface Direct {
        record Range(Network network) implements Direct {}

        record Address(InetAddress address, int port) implements Direct {}

        /// @param suffix with its leading dot
        /// @param itself whether the name without the dot is meant too
        record Domain(String suffix, boolean itself, int port) implements Direct {}
    }

    private final String http;
    private final String https;
    private final String except;
    private final boolean never;
    private final List<Direct> exceptions = new ArrayList<>();

    private Proxies(String http, String https, String except) {
        this.http = http;
        this.https = https;
        this.except = except;
        List<String> words = List.of(except.split(",")).stream().map(word -> word.strip().toLowerCase(Locale.ROOT)).toList();
        this.never = words.contains("*");
        words.forEach(this::add);
    }

    public static Proxies none() {
        return new Proxies("", "", "");
    }

    /// @param http address of the proxy for `http://` requests, empty for none
    /// @param https address of the proxy for `https://` requests, empty for none
    /// @param except hosts, domains, addresses and networks that are reached directly, separated by commas
    public static Proxies of(String http, String https, String except) {
        return new Proxies(http, https, except);
    }

    /// What `given` says, and where it says nothing, what the environment says: `HTTP_PROXY` or `http_proxy`, and so on.
    public static Proxies of(Proxies given, Map<String, String> environment) {
        return new Proxies(
                given.http.isEmpty() ? variable("HTTP_PROXY", environment) : given.http,
                given.https.isEmpty() ? variable("HTTPS_PROXY", environment) : given.https,
                given.except.isEmpty() ? variable("NO_PROXY", environment) : given.except);
    }

    /// The proxy for `http://` requests as it may be shown: without name and password.
    public String shownHttp() {
        return masked(http);
    }

    public String shownHttps() {
        return masked(https);
    }

    public String except() {
        return except;
    }

    /// @throws IllegalArgumentException when what was configured cannot be used as a proxy
    Optional<ProxyServer> forRequest(URI target) {
        String proxy = String.valueOf(target.getScheme()).equalsIgnoreCase("https") ? https : http;
        if (proxy.isEmpty() || never || isReachedDirectly(target)) return Optional.empty();
        return Optional.of(ProxyServer.parse(proxy));
    }

    private boolean isReachedDirectly(URI target) {
        String host = String.valueOf(target.getHost()).replaceAll("[\\[\\]]", "").toLowerCase(Locale.ROOT);
        if (host.equals("localhost")) return true;
        int usual = target.getScheme().equalsIgnoreCase("https") ? 443 : 80;
        int port = target.getPort() < 0 ? usual : target.getPort();
        Optional<InetAddress> address = literal(host);
        if (address.filter(InetAddress::isLoopbackAddress).isPresent()) return true;
        return exceptions.stream().anyMatch(exception -> switch (exception) {
            case Direct.Range(Network network) -> address.filter(network::contains).isPresent();
            case Direct.Address(InetAddress one, int on) -> address.filter(one::equals).isPresent() && (on == ANY_PORT || on == port);
            case Direct.Domain(String suffix, boolean itself, int on) ->
                (host.endsWith(suffix) || itself && host.equals(suffix.substring(1))) && (on == ANY_PORT || on == port);
        });
    }

    private void add(String word) {
        Optional<Network> network = Network.parse(word);
        if (network.isPresent()) {
            exceptions.add(new Direct.Range(network.get()));
            return;
        }
        int colon = word.lastIndexOf(':');
        boolean withPort = colon >= 0 && word.substring(colon + 1).matches("\\d{1,5}") && (word.indexOf(':') == colon || word.startsWith("["));
        String host = (withPort ? word.substring(0, colon) : word).replaceAll("[\\[\\]]", "");
        int port = withPort ? Integer.parseInt(word.substring(colon + 1)) : ANY_PORT;
        if (host.isEmpty()) return;
        Optional<InetAddress> address = literal(host);
        String domain = host.startsWith("*.") ? host.substring(1) : host;
        boolean itself = !domain.startsWith(".");
        exceptions.add(address.isPresent()
                ? new Direct.Address(address.get(), port)
                : new Direct.Domain(itself ? "." + domain : domain, itself, port));
    }

    private static Optional<InetAddress> literal(String host) {
        try {
            return Optional.of(InetAddress.ofLiteral(host));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private static String variable(String name, Map<String, String> environment) {
        String value = environment.getOrDefault(name, "");
        return value.isEmpty() ? environment.getOrDefault(name.toLowerCase(Locale.ROOT), "") : value;
    }

    /// An address of a proxy as it may be shown. Also hides what stands where a password would in one that makes no sense.
    public static String masked(String address) {
        return address.replaceFirst("^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", "$1xxxxx:xxxxx@");
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Proxies that && http.equals(that.http) && https.equals(that.https) && except.equals(that.except);
    }

    @Override
    public int hashCode() {
        return http.hashCode() + 31 * (https.hashCode() + 31 * except.hashCode());
    }

    @Override
    public String toString() {
        return "Proxies[http=" + shownHttp() + ", https=" + shownHttps() + ", except=" + except + "]";
    }
}
