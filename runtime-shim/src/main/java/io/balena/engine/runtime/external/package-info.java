/// Containers made by another OCI runtime, a program of the host.
package io.balena.engine.runtime.external;
