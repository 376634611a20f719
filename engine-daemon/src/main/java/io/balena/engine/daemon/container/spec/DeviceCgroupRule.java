package io.balena.engine.daemon.container.spec;

import io.balena.engine.daemon.EngineException.InvalidRequest;
import io.balena.engine.runtime.spec.RuntimeSpec.DeviceRule;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A rule of `DeviceCgroupRules`, e.g. `c 42:* rmw`.
final class DeviceCgroupRule {
    private static final Pattern RULE = Pattern.compile("([acb]) (\\d{1,7}|\\*):(\\d{1,7}|\\*) ([rwm]{1,3})");

    private DeviceCgroupRule() {}

    /// @throws InvalidRequest when it is none
    static DeviceRule parse(String rule) {
        Matcher parts = RULE.matcher(rule);
        if (!parts.matches()) throw new InvalidRequest("invalid device cgroup rule format: '" + rule + "'");
        return new DeviceRule(true, parts.group(1), number(parts.group(2)), number(parts.group(3)), parts.group(4));
    }

    private static Long number(String text) {
        return text.equals("*") ? null : Long.valueOf(text);
    }
}
