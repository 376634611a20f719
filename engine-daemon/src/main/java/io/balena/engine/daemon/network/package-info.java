/// Networks that Docker made and keeps in `network/files/local-kv.db`. They are read and shown; using them is yet to come.
package io.balena.engine.daemon.network;
