#include "tools/cache_warm/plan.h"

#include <functional>
#include <limits>

#include "tools/warm_mapping/mapping_reader.h"
#include "tools/warm_mapping/toml_table.h"

namespace hearth::warm {
namespace {

Result<void> read_source(TableReader& in, SourcePlan& source) {
  assign(source.url, in.text("url"));
  assign(source.workers, in.number("workers", 1, 64));
  assign(source.consistent, in.boolean("consistent"));
  assign(source.chunk_rows, in.number("chunk", 1'000, 100'000'000));
  assign(source.connect_timeout, in.duration("connect_timeout"));
  assign(source.retry_for, in.duration("retry_for"));
  return in.finish();
}

void read_addresses(TableReader& in, Target& target) {
  std::vector<std::string> addresses;
  if (const auto one = in.text("address")) addresses.push_back(*one);
  if (auto several = in.texts("seeds")) {
    if (!addresses.empty()) in.wrong("seeds", "give either address or seeds");
    addresses = *std::move(several);
  }
  for (const auto& text : addresses) {
    auto endpoint = client::parse_endpoint(text);
    if (endpoint) {
      target.seeds.push_back(*std::move(endpoint));
    } else {
      in.wrong(in.has("seeds") ? "seeds" : "address", endpoint.error().context);
    }
  }
  if (const auto text = in.text("url")) {
    auto url = client::parse_server_url(*text);
    if (!url) {
      in.wrong("url", url.error().context);
    } else if (!target.seeds.empty()) {
      in.wrong("url", "give one of url, address and seeds");
    } else {
      target.seeds.push_back(url->endpoint);
      target.username = url->username;
      target.password = url->password;
      target.db = url->db;
    }
  }
}

Result<void> read_target(TableReader& in, Target& target) {
  read_addresses(in, target);
  assign(target.username, in.text("username"));
  assign(target.password, in.text("password"));
  assign(target.db, in.number("db", 0, std::numeric_limits<DbIndex>::max()));
  assign(target.connections_per_node, in.number("connections", 1, 64));
  assign(target.batch_rows, in.number("batch", 1, 1'000'000));
  assign(target.batch_bytes, in.bytes("batch_bytes", 1, 1 << 26));
  assign(target.window_bytes, in.bytes("window", 1, 1 << 30));
  assign(target.retry_for, in.duration("retry_for"));
  assign(target.reply_timeout, in.duration("reply_timeout"));
  assign(target.latency_limit, in.duration("latency_limit"));
  assign(target.memory_limit, in.percent("memory_limit"));
  if (const auto guard = in.choice("guard", {"auto", "epoch", "off"}))
    target.guard = static_cast<Guard>(*guard);
  return in.finish();
}

Result<void> read_errors(TableReader& in, ErrorPolicy& errors) {
  if (const auto policy = in.choice("on_error", {"skip", "fail"}))
    errors.on_error = *policy == 0 ? OnError::kSkip : OnError::kFail;
  assign(errors.max_errors, in.number("max_errors", 0, std::numeric_limits<std::int64_t>::max()));
  assign(errors.reject_file, in.text("reject_file"));
  return in.finish();
}

Result<void> read_section(const toml::table& root, TableReader& top, std::string_view file,
                          std::string_view name,
                          const std::function<Result<void>(TableReader&)>& read) {
  const auto* node = top.take(name);
  if (node == nullptr) return {};
  const auto* table = node->as_table();
  if (table == nullptr) return wrong_shape(file, *root.get(name), name, "must be a table");
  TableReader reader(file, std::string(name), *table);
  return read(reader);
}

}  // namespace

Result<WarmPlan> parse_plan(std::string_view text, std::string_view file) {
  HEARTH_TRY(const toml::table root, parse_toml(text, file));
  TableReader top(file, "", root);
  WarmPlan plan;
  HEARTH_TRY_VOID(read_section(root, top, file, "source",
                               [&](TableReader& in) { return read_source(in, plan.source); }));
  HEARTH_TRY_VOID(read_section(root, top, file, "target",
                               [&](TableReader& in) { return read_target(in, plan.target); }));
  HEARTH_TRY_VOID(read_section(root, top, file, "errors",
                               [&](TableReader& in) { return read_errors(in, plan.errors); }));
  HEARTH_TRY(plan.mappings, read_mappings(top, file));
  HEARTH_TRY_VOID(top.finish());
  return plan;
}

}  // namespace hearth::warm
