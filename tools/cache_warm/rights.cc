#include "tools/cache_warm/rights.h"

#include <fmt/core.h>

#include <set>

namespace hearth::warm {
namespace {

struct Probe {
  std::vector<std::string> words;
  std::string rule;  // of ACL SETUSER
  std::string key;
  std::string loss;  // empty: needed
};

// Commands that store the values of an output. `key` begins as its keys do.
void add_output_probes(const Output& output, bool is_guarded, std::vector<Probe>& probes) {
  const std::string prefix(output.key.prefix());
  const std::string key = prefix + "cache-warm-check";
  const std::string pattern = " ~" + prefix + "*";
  const auto add = [&](std::vector<std::string> words, const std::string& rule) {
    probes.push_back({std::move(words), rule + pattern, key, ""});
  };
  add({"DEL", key}, "+del");
  switch (output.value) {
    case ValueKind::kString:
    case ValueKind::kJson: return add({"SET", key, "", "NX", "XX"}, "+set");
    case ValueKind::kHash:
      if (output.replace) break;
      add({"HSET", key, "f"}, "+hset");
      if (is_guarded) add({"HSETEX", key, "no fields"}, "+hsetex +eval");
      if (is_guarded || output.ttl || !output.ttl_column.empty() || !output.expires_at.empty())
        add({"EVAL", "return 0", "1", key}, "+eval +pexpire +pexpireat");
      return;
    default: break;
  }
  add({"RESTORE", key, "0", "no payload"}, "+restore");
}

}  // namespace

Result<std::vector<MissingRight>> missing_target_rights(client::Client& client,
                                                        const WarmPlan& plan) {
  std::vector<Probe> probes;
  for (const auto& mapping : plan.mappings) {
    for (const auto& output : mapping.outputs)
      add_output_probes(output, plan.target.guard != Guard::kOff, probes);
  }
  probes.push_back({{"CLUSTER", "SHARDS"},
                    "+cluster|shards",
                    "",
                    "owners of slots are learnt one by one, from MOVED"});
  probes.push_back(
      {{"INFO"}, "+info", "", "restarts, evictions and memory of the servers stay unnoticed"});
  if (plan.target.guard != Guard::kOff) {
    probes.push_back({{"WARM", "STATUS"},
                      "+warm",
                      "",
                      plan.target.guard == Guard::kEpoch
                          ? ""
                          : "rows may overwrite what applications write meanwhile"});
  }
  probes.push_back({{"CLIENT", "SETNAME", "cache-warm"},
                    "+client|setname",
                    "",
                    "CLIENT LIST does not show the load's name"});
  std::vector<MissingRight> missing;
  std::set<std::string> asked;
  const std::string user = plan.target.username.empty() ? "default" : plan.target.username;
  for (const auto& probe : probes) {
    std::string text;
    for (const auto& word : probe.words) text += (text.empty() ? "" : " ") + word;
    if (!asked.insert(text).second) continue;
    const std::vector<std::string_view> words(probe.words.begin(), probe.words.end());
    HEARTH_TRY(const RespValue reply, client.call(words, probe.key));
    if (!reply.is_error() || !reply.text().starts_with("NOPERM")) continue;
    missing.push_back({probe.words[0], fmt::format("ACL SETUSER {} {}", user, probe.rule),
                       probe.loss.empty(), probe.loss});
  }
  return missing;
}

}  // namespace hearth::warm
