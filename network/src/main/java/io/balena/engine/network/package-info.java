/// Bridges, endpoints, addresses and firewall rules.
package io.balena.engine.network;
