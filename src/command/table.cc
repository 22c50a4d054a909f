#include "src/command/table.h"

#include <algorithm>

#include "src/base/check.h"
#include "src/base/parse_number.h"

namespace hearth {
namespace {

std::uint32_t name_hash(std::string_view lower) {
  std::uint32_t h = 2166136261U;  // FNV-1a
  for (const char c : lower) h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
  return h ^ (h >> 15);
}

Acl implied_acl(const CommandSpec& spec) {
  const Flag flags = spec.flags;
  Acl acl = Acl::kNone;
  if (has(flags, Flag::kWrite)) acl = acl | Acl::kWrite;
  // The command that runs a script does not tell which keys the script reads.
  if (has(flags, Flag::kReadonly) && !has(spec.acl, Acl::kScripting)) acl = acl | Acl::kRead;
  if (has(flags, Flag::kAdmin)) acl = acl | Acl::kAdmin | Acl::kDangerous;
  if (has(flags, Flag::kPubsub)) acl = acl | Acl::kPubsub;
  if (has(flags, Flag::kBlocking)) acl = acl | Acl::kBlocking;
  return acl | (has(flags, Flag::kFast) ? Acl::kFast : Acl::kSlow);
}

// The one range that covers all index-range key specs, as the old form of COMMAND INFO has it.
void derive_legacy_keys(Command& command) {
  bool movable = false;
  int first = INT16_MAX, last = 0, previous_last = 0;
  bool first_spec = true;
  for (const KeySpec& k : command.spec->keys) {
    if (k.begin != KeySpec::Begin::kIndex || k.find != KeySpec::Find::kRange) {
      movable = true;
      continue;
    }
    if ((k.access & access::kNotKey) != 0) continue;
    const int spec_last = k.last >= 0 ? k.index + k.last : k.last;
    if (!first_spec && (k.index != previous_last + 1 || k.step != 1)) {
      movable = true;
      continue;
    }
    first = std::min<int>(first, k.index);
    last = spec_last;
    command.key_step = k.step;
    previous_last = spec_last;
    first_spec = false;
  }
  if (first != INT16_MAX) {
    command.first_key = static_cast<std::int16_t>(first);
    command.last_key = static_cast<std::int16_t>(last);
  }
  if (movable) command.flags = command.flags | Flag::kMovableKeys;
  const Group group = command.spec->group;
  command.opens_value = command.first_key > 0 &&
                        (group == Group::kList || group == Group::kSet || group == Group::kHash ||
                         group == Group::kSortedSet || group == Group::kGeo);
}

// Where positions alone don't tell the keys, the command itself must.
void check_finds_keys(const CommandSpec& spec) {
  HEARTH_CHECK((spec.databases == DatabaseUse::kOptional) == (spec.database_word != nullptr));
  if (spec.find_keys != nullptr) return;
  for (const KeySpec& k : spec.keys) {
    HEARTH_CHECK(k.begin == KeySpec::Begin::kIndex && k.find != KeySpec::Find::kUnknown);
    HEARTH_CHECK((k.access & access::kVariableFlags) == 0 && k.index > 0 && k.limit <= 1);
  }
}

}  // namespace

CommandTable::CommandTable(std::span<const CommandSpec* const> specs) {
  for (const CommandSpec* spec : specs) {
    commands_.push_back(build(*spec, nullptr));
    names_.push_back({commands_.back()->full_name, commands_.back().get()});
  }
  rebuild_index();
}

std::unique_ptr<Command> CommandTable::build(const CommandSpec& spec, const Command* parent) {
  HEARTH_CHECK(!spec.name.empty() && spec.name.size() < kCommandNameMax);
  HEARTH_CHECK(!spec.summary.empty() && !spec.since.empty());
  HEARTH_CHECK(spec.handler != nullptr || !spec.subcommands.empty());
  check_finds_keys(spec);
  auto command = std::make_unique<Command>();
  command->spec = &spec;
  command->parent = parent;
  command->full_name = (parent != nullptr ? parent->full_name + "|" : "") + lower_case(spec.name);
  command->flags = spec.flags;
  command->acl = spec.acl | implied_acl(spec);
  command->id = next_id_++;
  derive_legacy_keys(*command);
  for (const CommandSpec* sub : spec.subcommands)
    command->subcommands.push_back(build(*sub, command.get()));
  return command;
}

void CommandTable::rebuild_index() {
  std::size_t size = 64;
  while (size < names_.size() * 2) size *= 2;
  index_.assign(size, Name{});
  for (const Name& name : names_) {
    std::size_t at = name_hash(name.text) & (size - 1);
    while (index_[at].command != nullptr) {
      HEARTH_CHECK(index_[at].text != name.text);
      at = (at + 1) & (size - 1);
    }
    index_[at] = name;
  }
}

const Command* CommandTable::find(std::string_view name) const {
  if (name.size() >= kCommandNameMax) return nullptr;
  std::array<char, kCommandNameMax> lower;
  for (std::size_t i = 0; i < name.size(); ++i) lower[i] = ascii_lower(name[i]);
  const std::string_view folded{lower.data(), name.size()};
  const std::size_t mask = index_.size() - 1;
  for (std::size_t at = name_hash(folded) & mask; index_[at].command != nullptr;
       at = (at + 1) & mask) {
    if (index_[at].text == folded) return index_[at].command;
  }
  return nullptr;
}

const Command* CommandTable::find_sub(const Command& container, std::string_view word) {
  for (const auto& sub : container.subcommands) {
    if (equals_ignore_case(sub->spec->name, word)) return sub.get();
  }
  return nullptr;
}

const Command* CommandTable::resolve(std::span<const std::string_view> argv) const {
  const Command* command = argv.empty() ? nullptr : find(argv[0]);
  if (command == nullptr || !command->is_container() || argv.size() < 2) return command;
  const Command* sub = find_sub(*command, argv[1]);
  return sub != nullptr ? sub : command;
}

const Command* CommandTable::find_full(std::string_view name) const {
  const std::size_t bar = name.find('|');
  const Command* command = find(name.substr(0, bar));
  if (command == nullptr || bar == std::string_view::npos) return command;
  return find_sub(*command, name.substr(bar + 1));
}

bool CommandTable::rename(std::string_view from, std::string_view to) {
  const std::string old_name = lower_case(from);
  const std::string new_name = lower_case(to);
  const auto at =
      std::find_if(names_.begin(), names_.end(), [&](const Name& n) { return n.text == old_name; });
  if (at == names_.end() || (!to.empty() && find(to) != nullptr)) return false;
  for (const auto& command : commands_) {
    if (command.get() == at->command) command->renamed = true;
  }
  if (to.empty())
    names_.erase(at);
  else
    at->text = new_name;
  rebuild_index();
  return true;
}

}  // namespace hearth
