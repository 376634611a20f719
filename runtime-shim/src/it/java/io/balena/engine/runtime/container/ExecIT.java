package io.balena.engine.runtime.container;

import java.io.IOException;

/// Programs executed into a container as most are.
class ExecIT extends ExecContract {
    @Override
    Bundle bundle() throws IOException {
        return fixture.bundle();
    }
}
