// The words of parameters that are one of several, next to the values that they stand for. A row of
// a table takes them from the type of its field, so that no order is kept in two places.
#pragma once

#include "src/config/parameter.h"

namespace hearth::config {

template <typename E>
constexpr Choice word_for(std::string_view word, E value) {
  return {word, static_cast<std::int64_t>(value)};
}

// In the order of the error text that lists them.
template <typename E>
struct ChoicesOf;

template <>
struct ChoicesOf<LogLevel> {
  static constexpr Choice kAll[] = {
      word_for("debug", LogLevel::kDebug), word_for("verbose", LogLevel::kVerbose),
      word_for("notice", LogLevel::kNotice), word_for("warning", LogLevel::kWarning),
      word_for("nothing", LogLevel::kNothing)};
};
template <>
struct ChoicesOf<LogFormat> {
  static constexpr Choice kAll[] = {word_for("legacy", LogFormat::kLegacy),
                                    word_for("logfmt", LogFormat::kLogfmt)};
};
template <>
struct ChoicesOf<LogTimestamp> {
  static constexpr Choice kAll[] = {word_for("legacy", LogTimestamp::kLegacy),
                                    word_for("iso8601", LogTimestamp::kIso8601),
                                    word_for("milliseconds", LogTimestamp::kMilliseconds)};
};
template <>
struct ChoicesOf<SyslogFacility> {
  static constexpr Choice kAll[] = {
      word_for("user", SyslogFacility::kUser),     word_for("local0", SyslogFacility::kLocal0),
      word_for("local1", SyslogFacility::kLocal1), word_for("local2", SyslogFacility::kLocal2),
      word_for("local3", SyslogFacility::kLocal3), word_for("local4", SyslogFacility::kLocal4),
      word_for("local5", SyslogFacility::kLocal5), word_for("local6", SyslogFacility::kLocal6),
      word_for("local7", SyslogFacility::kLocal7)};
};
template <>
struct ChoicesOf<Supervised> {
  static constexpr Choice kAll[] = {
      word_for("upstart", Supervised::kUpstart), word_for("systemd", Supervised::kSystemd),
      word_for("auto", Supervised::kAuto), word_for("no", Supervised::kNo)};
};
template <>
struct ChoicesOf<VersionCheck> {
  static constexpr Choice kAll[] = {word_for("strict", VersionCheck::kStrict),
                                    word_for("relaxed", VersionCheck::kRelaxed)};
};
template <>
struct ChoicesOf<EvictionPolicy> {
  static constexpr Choice kAll[] = {word_for("volatile-lru", EvictionPolicy::kVolatileLru),
                                    word_for("volatile-lfu", EvictionPolicy::kVolatileLfu),
                                    word_for("volatile-random", EvictionPolicy::kVolatileRandom),
                                    word_for("volatile-ttl", EvictionPolicy::kVolatileTtl),
                                    word_for("allkeys-lru", EvictionPolicy::kAllKeysLru),
                                    word_for("allkeys-lfu", EvictionPolicy::kAllKeysLfu),
                                    word_for("allkeys-random", EvictionPolicy::kAllKeysRandom),
                                    word_for("noeviction", EvictionPolicy::kNoEviction)};
};
template <>
struct ChoicesOf<Permission> {
  static constexpr Choice kAll[] = {word_for("no", Permission::kNo),
                                    word_for("yes", Permission::kYes),
                                    word_for("local", Permission::kLocal)};
};
template <>
struct ChoicesOf<AppendFsync> {
  static constexpr Choice kAll[] = {word_for("everysec", AppendFsync::kEverySecond),
                                    word_for("always", AppendFsync::kAlways),
                                    word_for("no", AppendFsync::kNo)};
};
template <>
struct ChoicesOf<EndpointType> {
  static constexpr Choice kAll[] = {word_for("ip", EndpointType::kIp),
                                    word_for("hostname", EndpointType::kHostname),
                                    word_for("unknown-endpoint", EndpointType::kUnknown)};
};
template <>
struct ChoicesOf<ClusterRebalance> {
  static constexpr Choice kAll[] = {word_for("off", ClusterRebalance::kOff),
                                    word_for("slots", ClusterRebalance::kSlots),
                                    word_for("load", ClusterRebalance::kLoad)};
};
template <>
struct ChoicesOf<AclPubsubDefault> {
  static constexpr Choice kAll[] = {word_for("allchannels", AclPubsubDefault::kAllChannels),
                                    word_for("resetchannels", AclPubsubDefault::kResetChannels)};
};
template <>
struct ChoicesOf<PropagationError> {
  static constexpr Choice kAll[] = {
      word_for("ignore", PropagationError::kIgnore), word_for("panic", PropagationError::kPanic),
      word_for("panic-on-replicas", PropagationError::kPanicOnReplicas)};
};
template <>
struct ChoicesOf<WarmGateMode> {
  static constexpr Choice kAll[] = {word_for("off", WarmGateMode::kOff),
                                    word_for("loading", WarmGateMode::kLoading)};
};
template <>
struct ChoicesOf<OomScoreAdj> {
  static constexpr Choice kAll[] = {
      word_for("no", OomScoreAdj::kNo), word_for("yes", OomScoreAdj::kYes),
      word_for("relative", OomScoreAdj::kRelative), word_for("absolute", OomScoreAdj::kAbsolute)};
};
template <>
struct ChoicesOf<RdbCompat> {
  static constexpr Choice kAll[] = {word_for("7.2", RdbCompat::kRedis72),
                                    word_for("7.0", RdbCompat::kRedis70)};
};

// One of the words of the field's own enum.
template <auto Member>
constexpr Type choice() {
  return choice(ChoicesOf<typename MemberOf<decltype(Member)>::type>::kAll);
}

}  // namespace hearth::config
