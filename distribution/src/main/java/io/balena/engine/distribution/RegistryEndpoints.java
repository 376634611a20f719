package io.balena.engine.distribution;

import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Where registries are found, and whom to believe there.
///
/// @param mirrors of Docker Hub, asked before it, in this order: `http://host:port` or `https://host:port`
/// @param certificates folders with a folder for each registry: `<host>[:<port>]/{*.crt,*.cert,*.key}`; see [Trust]
/// @param hub Docker Hub itself
public record RegistryEndpoints(
        InsecureRegistries insecure, List<URI> mirrors, List<Path> certificates, Proxies proxies, Hub hub) {
    private static final String HUB = "docker.io";
    private static final List<String> HTTPS = List.of("https");
    private static final List<String> HTTPS_OR_HTTP = List.of("https", "http");

    /// @param registry serves the images of `docker.io`
    /// @param index searches them
    public record Hub(URI registry, URI index) {
        public static final Hub PUBLIC = new Hub(URI.create("https://registry-1.docker.io"), URI.create("https://index.docker.io"));
    }

    public RegistryEndpoints {
        mirrors = List.copyOf(mirrors);
        certificates = List.copyOf(certificates);
    }

    /// Without mirrors, certificates and proxies.
    public static RegistryEndpoints plain(InsecureRegistries insecure) {
        return new RegistryEndpoints(insecure, List.of(), List.of(), Proxies.none(), Hub.PUBLIC);
    }

    /// The registry of `domain` itself.
    ///
    /// @param domain of an [ImageReference]
    Endpoint of(String domain) {
        return isHub(domain) ? at(hub.registry()) : at(domain);
    }

    /// Who may have an image of `domain`, in the order in which to ask.
    List<Endpoint> toPullFrom(String domain) {
        List<Endpoint> endpoints = new ArrayList<>();
        if (isHub(domain)) {
            for (URI mirror : mirrors) {
                Trust trust = insecure.contains(mirror.getAuthority()) ? Trust.anyone() : certified(mirror.getAuthority());
                endpoints.add(new Endpoint(mirror.getAuthority(), List.of(mirror.getScheme()), true, trust));
            }
        }
        endpoints.add(of(domain));
        return List.copyOf(endpoints);
    }

    /// Who searches `domain`.
    Endpoint toSearch(String domain) {
        return isHub(domain) ? at(hub.index()) : at(domain);
    }

    static boolean isHub(String domain) {
        return domain.equals(HUB);
    }

    private static Endpoint at(URI known) {
        return new Endpoint(known.getAuthority(), List.of(known.getScheme()), false, Trust.authorities());
    }

    private Endpoint at(String host) {
        return insecure.contains(host)
                ? new Endpoint(host, HTTPS_OR_HTTP, false, Trust.anyone())
                : new Endpoint(host, HTTPS, false, certified(host));
    }

    private Trust certified(String host) {
        return Trust.authoritiesAnd(certificates.stream().map(folder -> folder.resolve(host)).toList());
    }
}
