package io.balena.engine.daemon.http;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;

/// What every answer says about the engine in its headers.
///
/// @param version of the engine, e.g. `0.1.0`
/// @param corsOrigin pages that may use the API from a browser, `*` for all; empty for none
public record ApiIdentity(String version, boolean experimental, String corsOrigin) {
    void describe(HttpHeaders headers) {
        headers.set("Api-Version", ApiVersion.NEWEST.toString());
        headers.set("Docker-Experimental", Boolean.toString(experimental));
        headers.set("Ostype", "linux");
        headers.set(HttpHeaderNames.SERVER, "Docker/" + version + " (linux)");
        if (corsOrigin.isEmpty()) return;
        headers.set("Access-Control-Allow-Origin", corsOrigin);
        headers.set("Access-Control-Allow-Headers", "Origin, X-Requested-With, Content-Type, Accept, X-Registry-Auth");
        headers.set("Access-Control-Allow-Methods", "HEAD, GET, POST, DELETE, PUT, OPTIONS");
    }
}
