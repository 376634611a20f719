package io.balena.engine.runtime.container;

/// How a container is made, beyond what its bundle says.
///
/// @param named whether other processes will find and start it: then its spec is kept with its state, and it waits at a gate with a name
/// @param keyring whether it gets a session keyring of its own
/// @param inherited how many descriptors from 3 on it inherits from us; they must be open
public record Creation(boolean named, boolean keyring, int inherited) {
    /// By a process that lives as long as the container, and starts it itself.
    static final Creation OWNED = new Creation(false, true, 0);
}
