/// The OCI runtime: containers from bundles, from creation to removal, with their state on disk and their hooks.
package io.balena.engine.runtime.container;
