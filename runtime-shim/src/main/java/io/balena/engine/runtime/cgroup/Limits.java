package io.balena.engine.runtime.cgroup;

import io.balena.engine.runtime.spec.RuntimeSpec;
import java.io.IOException;

/// The limits of a group, in the files its version of control groups has for them.
interface Limits {
    /// Sets what `resources` name, in the order the kernel takes it.
    ///
    /// @throws io.balena.engine.runtime.ContainerFailure worded as runc does
    void apply(RuntimeSpec.Resources resources) throws IOException;
}
