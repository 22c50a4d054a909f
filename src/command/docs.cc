#include "src/command/docs.h"

#include <array>

#include "src/base/check.h"

namespace hearth {
namespace {

template <typename T>
struct Named {
  T bit;
  std::string_view name;
};

// kMayReplicate is left out, as it always was: it is nothing that clients could use.
constexpr Named<Flag> kFlags[] = {
    {Flag::kWrite, "write"},
    {Flag::kReadonly, "readonly"},
    {Flag::kDenyOom, "denyoom"},
    {Flag::kAdmin, "admin"},
    {Flag::kPubsub, "pubsub"},
    {Flag::kNoScript, "noscript"},
    {Flag::kBlocking, "blocking"},
    {Flag::kLoading, "loading"},
    {Flag::kStale, "stale"},
    {Flag::kSkipMonitor, "skip_monitor"},
    {Flag::kSkipSlowlog, "skip_slowlog"},
    {Flag::kAsking, "asking"},
    {Flag::kFast, "fast"},
    {Flag::kNoAuth, "no_auth"},
    {Flag::kNoMandatoryKeys, "no_mandatory_keys"},
    {Flag::kNoAsyncLoading, "no_async_loading"},
    {Flag::kNoMulti, "no_multi"},
    {Flag::kMovableKeys, "movablekeys"},
    {Flag::kAllowBusy, "allow_busy"},
};

constexpr Named<Acl> kCategories[] = {
    {Acl::kKeyspace, "keyspace"},
    {Acl::kRead, "read"},
    {Acl::kWrite, "write"},
    {Acl::kSet, "set"},
    {Acl::kSortedSet, "sortedset"},
    {Acl::kList, "list"},
    {Acl::kHash, "hash"},
    {Acl::kString, "string"},
    {Acl::kBitmap, "bitmap"},
    {Acl::kHyperLogLog, "hyperloglog"},
    {Acl::kGeo, "geo"},
    {Acl::kStream, "stream"},
    {Acl::kPubsub, "pubsub"},
    {Acl::kAdmin, "admin"},
    {Acl::kFast, "fast"},
    {Acl::kSlow, "slow"},
    {Acl::kBlocking, "blocking"},
    {Acl::kDangerous, "dangerous"},
    {Acl::kConnection, "connection"},
    {Acl::kTransaction, "transaction"},
    {Acl::kScripting, "scripting"},
};

constexpr Named<std::uint16_t> kAccess[] = {
    {access::kRO, "RO"},
    {access::kRW, "RW"},
    {access::kOW, "OW"},
    {access::kRM, "RM"},
    {access::kAccess, "access"},
    {access::kUpdate, "update"},
    {access::kInsert, "insert"},
    {access::kDelete, "delete"},
    {access::kNotKey, "not_key"},
    {access::kIncomplete, "incomplete"},
    {access::kVariableFlags, "variable_flags"},
};

std::string_view group_name(Group group) {
  switch (group) {
    case Group::kGeneric: return "generic";
    case Group::kString: return "string";
    case Group::kList: return "list";
    case Group::kSet: return "set";
    case Group::kSortedSet: return "sorted-set";
    case Group::kHash: return "hash";
    case Group::kPubsub: return "pubsub";
    case Group::kTransactions: return "transactions";
    case Group::kConnection: return "connection";
    case Group::kServer: return "server";
    case Group::kScripting: return "scripting";
    case Group::kHyperLogLog: return "hyperloglog";
    case Group::kCluster: return "cluster";
    case Group::kGeo: return "geo";
    case Group::kStream: return "stream";
    case Group::kBitmap: return "bitmap";
    case Group::kSentinel: return "sentinel";
    case Group::kModule: return "module";
  }
  return "";
}

std::string_view kind_name(ArgDoc::Kind kind) {
  switch (kind) {
    case ArgDoc::Kind::kString: return "string";
    case ArgDoc::Kind::kInteger: return "integer";
    case ArgDoc::Kind::kDouble: return "double";
    case ArgDoc::Kind::kKey: return "key";
    case ArgDoc::Kind::kPattern: return "pattern";
    case ArgDoc::Kind::kUnixTime: return "unix-time";
    case ArgDoc::Kind::kToken: return "pure-token";
    case ArgDoc::Kind::kOneOf: return "oneof";
    case ArgDoc::Kind::kBlock: return "block";
  }
  return "";
}

void write_names(ReplyWriter& reply, const std::vector<std::string_view>& names,
                 std::string_view prefix = {}) {
  reply.set(names.size());
  for (const auto name : names) reply.simple(std::string(prefix) + std::string(name));
}

void pair(ReplyWriter& reply, std::string_view name, std::string_view value) {
  reply.bulk(name);
  reply.bulk(value);
}
void pair(ReplyWriter& reply, std::string_view name, std::int64_t value) {
  reply.bulk(name);
  reply.integer(value);
}

void write_begin_search(ReplyWriter& reply, const KeySpec& key) {
  reply.bulk("begin_search");
  reply.map(2);
  switch (key.begin) {
    case KeySpec::Begin::kIndex:
      pair(reply, "type", "index");
      reply.bulk("spec");
      reply.map(1);
      return pair(reply, "index", key.index);
    case KeySpec::Begin::kKeyword:
      pair(reply, "type", "keyword");
      reply.bulk("spec");
      reply.map(2);
      pair(reply, "keyword", key.keyword);
      return pair(reply, "startfrom", key.index);
    case KeySpec::Begin::kUnknown:
      pair(reply, "type", "unknown");
      reply.bulk("spec");
      return reply.map(0);
  }
}

void write_find_keys(ReplyWriter& reply, const KeySpec& key) {
  reply.bulk("find_keys");
  reply.map(2);
  switch (key.find) {
    case KeySpec::Find::kRange:
      pair(reply, "type", "range");
      reply.bulk("spec");
      reply.map(3);
      pair(reply, "lastkey", key.last);
      pair(reply, "keystep", key.step);
      return pair(reply, "limit", key.limit);
    case KeySpec::Find::kKeyNum:
      pair(reply, "type", "keynum");
      reply.bulk("spec");
      reply.map(3);
      pair(reply, "keynumidx", key.key_num_index);
      pair(reply, "firstkey", key.first_key);
      return pair(reply, "keystep", key.step);
    case KeySpec::Find::kUnknown:
      pair(reply, "type", "unknown");
      reply.bulk("spec");
      return reply.map(0);
  }
}

void write_key_spec(ReplyWriter& reply, const KeySpec& key) {
  reply.map(key.notes.empty() ? 3 : 4);
  if (!key.notes.empty()) pair(reply, "notes", key.notes);
  reply.bulk("flags");
  write_names(reply, key_access_names(key.access));
  write_begin_search(reply, key);
  write_find_keys(reply, key);
}

bool is_composite(const ArgDoc& arg) {
  return arg.kind == ArgDoc::Kind::kOneOf || arg.kind == ArgDoc::Kind::kBlock;
}

void write_args(ReplyWriter& reply, std::span<const ArgDoc> args) {
  reply.array(args.size());
  for (const ArgDoc& arg : args) {
    std::vector<std::string_view> flags;
    if (arg.optional) flags.emplace_back("optional");
    if (arg.multiple) flags.emplace_back("multiple");
    if (arg.multiple_token) flags.emplace_back("multiple_token");
    std::size_t fields = 2;
    for (const bool there : {!is_composite(arg), arg.key_spec >= 0, !arg.token.empty(),
                             !arg.since.empty(), !flags.empty(), is_composite(arg)}) {
      fields += there ? 1 : 0;
    }
    reply.map(fields);
    pair(reply, "name", arg.name);
    pair(reply, "type", kind_name(arg.kind));
    if (!is_composite(arg)) pair(reply, "display_text", arg.name);
    if (arg.key_spec >= 0) pair(reply, "key_spec_index", arg.key_spec);
    if (!arg.token.empty()) pair(reply, "token", arg.token);
    if (!arg.since.empty()) pair(reply, "since", arg.since);
    if (!flags.empty()) {
      reply.bulk("flags");
      write_names(reply, flags);
    }
    if (is_composite(arg)) {
      reply.bulk("arguments");
      write_args(reply, arg.parts);
    }
  }
}

std::string syntax_of_parts(std::span<const ArgDoc> parts, std::string_view between) {
  std::string text;
  for (const ArgDoc& part : parts) {
    if (!text.empty()) text += between;
    const ArgDoc one[] = {part};
    text += syntax_of(one);
  }
  return text;
}

// One occurrence of the value, without its token.
std::string value_syntax(const ArgDoc& arg) {
  switch (arg.kind) {
    case ArgDoc::Kind::kToken: return std::string(arg.token);
    case ArgDoc::Kind::kOneOf:
      // The brackets of an optional choice enclose it already.
      return arg.optional && arg.token.empty() ? syntax_of_parts(arg.parts, " | ")
                                               : "<" + syntax_of_parts(arg.parts, " | ") + ">";
    case ArgDoc::Kind::kBlock: return syntax_of_parts(arg.parts, " ");
    default: return std::string(arg.name);
  }
}

// The old form of key positions. It names the channels of sharded messages too, since clients find
// the node for them by it.
void write_legacy_keys(ReplyWriter& reply, const Command& command) {
  int first = command.first_key, last = command.last_key, step = command.key_step;
  const auto specs = command.spec->keys;
  if (first == 0 && specs.size() == 1 && (specs[0].access & access::kNotKey) != 0 &&
      specs[0].begin == KeySpec::Begin::kIndex && specs[0].find == KeySpec::Find::kRange) {
    first = specs[0].index;
    last = specs[0].last >= 0 ? first + specs[0].last : specs[0].last;
    step = specs[0].step;
  }
  reply.integer(first);
  reply.integer(last);
  reply.integer(step);
}

}  // namespace

std::vector<std::string_view> flag_names(Flag flags) {
  std::vector<std::string_view> names;
  for (const auto& [bit, name] : kFlags) {
    if (has(flags, bit)) names.push_back(name);
  }
  return names;
}

std::vector<std::string_view> acl_category_names(Acl acl) {
  std::vector<std::string_view> names;
  for (const auto& [bit, name] : kCategories) {
    if (has(acl, bit)) names.push_back(name);
  }
  return names;
}

std::optional<Acl> acl_category(std::string_view name) {
  for (const auto& [bit, text] : kCategories) {
    if (equals_ignore_case(name, text)) return bit;
  }
  return std::nullopt;
}

std::vector<std::string_view> key_access_names(std::uint16_t access) {
  std::vector<std::string_view> names;
  for (const auto& [bit, name] : kAccess) {
    if ((access & bit) != 0) names.push_back(name);
  }
  return names;
}

void write_command_info(ReplyWriter& reply, const Command& command) {
  const CommandSpec& spec = *command.spec;
  reply.array(10);
  reply.bulk(command.full_name);
  reply.integer(spec.arity.count);
  write_names(reply, flag_names(command.flags));
  write_legacy_keys(reply, command);
  write_names(reply, acl_category_names(command.acl), "@");
  reply.set(spec.tips.size());
  for (const auto tip : spec.tips) reply.bulk(tip);
  reply.set(spec.keys.size());
  for (const KeySpec& key : spec.keys) write_key_spec(reply, key);
  reply.set(command.subcommands.size());
  for (const auto& sub : command.subcommands) write_command_info(reply, *sub);
}

void write_command_docs(ReplyWriter& reply, const Command& command) {
  const CommandSpec& spec = *command.spec;
  const bool deprecated = !spec.deprecated_since.empty();
  std::size_t fields = 4;
  if (deprecated) fields += 2;
  for (const bool there : {deprecated && !spec.replaced_by.empty(), !spec.history.empty(),
                           !spec.args.empty(), !command.subcommands.empty()}) {
    fields += there ? 1 : 0;
  }
  reply.map(fields);
  pair(reply, "summary", spec.summary);
  pair(reply, "since", spec.since);
  pair(reply, "group", group_name(spec.group));
  pair(reply, "complexity", spec.complexity);
  if (deprecated) {
    reply.bulk("doc_flags");
    write_names(reply, {"deprecated"});
    pair(reply, "deprecated_since", spec.deprecated_since);
    if (!spec.replaced_by.empty()) pair(reply, "replaced_by", spec.replaced_by);
  }
  if (!spec.history.empty()) {
    reply.bulk("history");
    reply.set(spec.history.size());
    for (const HistoryNote& note : spec.history) {
      reply.array(2);
      reply.bulk(note.since);
      reply.bulk(note.change);
    }
  }
  if (!spec.args.empty()) {
    reply.bulk("arguments");
    write_args(reply, spec.args);
  }
  if (!command.subcommands.empty()) {
    reply.bulk("subcommands");
    reply.map(command.subcommands.size());
    for (const auto& sub : command.subcommands) {
      reply.bulk(sub->full_name);
      write_command_docs(reply, *sub);
    }
  }
}

std::string syntax_of(std::span<const ArgDoc> args) {
  std::string line;
  for (const ArgDoc& arg : args) {
    if (!line.empty()) line += ' ';
    const std::string value = value_syntax(arg);
    const std::string head =
        arg.token.empty() || arg.kind == ArgDoc::Kind::kToken ? "" : std::string(arg.token) + " ";
    std::string text = head + value;
    if (arg.multiple) text += " [" + (arg.multiple_token ? head : "") + value + " ...]";
    line += arg.optional ? "[" + text + "]" : text;
  }
  return line;
}

std::string unknown_subcommand(std::string_view container, std::string_view word) {
  return "ERR unknown subcommand '" + std::string(word.substr(0, 128)) + "'. Try " +
         std::string(container) + " HELP.";
}

Outcome container_help(CommandContext& ctx) {
  const Command* container = ctx.command().parent;
  HEARTH_CHECK(container != nullptr);
  ReplyWriter& reply = ctx.reply();
  reply.array(1 + 2 * container->subcommands.size());
  reply.simple(std::string(container->spec->name) + " <subcommand> [<argument> ...]. Subcommands:");
  for (const auto& sub : container->subcommands) {
    const std::string syntax = syntax_of(sub->spec->args);
    reply.simple(std::string(sub->spec->name) + (syntax.empty() ? "" : " " + syntax));
    reply.simple("    " + std::string(sub->spec->summary));
  }
  return {};
}

}  // namespace hearth
