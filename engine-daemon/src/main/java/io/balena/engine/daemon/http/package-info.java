/// HTTP for the API: bytes to [io.balena.engine.daemon.http.Request], [io.balena.engine.daemon.http.Response] to bytes. Knows Netty; has
/// never heard of containers.
package io.balena.engine.daemon.http;
