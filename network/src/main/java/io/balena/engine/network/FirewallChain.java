package io.balena.engine.network;

record FirewallChain(String table, String name) {}
