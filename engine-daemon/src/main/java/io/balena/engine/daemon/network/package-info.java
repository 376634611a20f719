/// Networks in the API, and those that Docker made in the data root: it keeps them in `network/files/local-kv.db`, from which they are
/// taken over.
package io.balena.engine.daemon.network;
