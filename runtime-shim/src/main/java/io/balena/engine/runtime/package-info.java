/// The OCI runtime, the shim process that owns containers, and the client the daemon talks to it with.
package io.balena.engine.runtime;
