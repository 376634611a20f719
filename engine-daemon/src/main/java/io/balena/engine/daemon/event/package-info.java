/// What happened in the engine, told to whoever listens.
package io.balena.engine.daemon.event;
