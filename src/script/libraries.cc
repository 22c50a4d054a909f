// Libraries of functions.
#include <algorithm>

#include "src/base/parse_number.h"
#include "src/script/runtime.h"
#include "src/script/shebang.h"

namespace hearth::script {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;

}  // namespace

std::size_t Runtime::Library::bytes() const {
  std::size_t bytes = sizeof(Library) + about.name.capacity() + about.code.capacity();
  for (const Function& f : functions)
    bytes += sizeof(Function) + f.about.name.capacity() +
             (f.about.description ? f.about.description->capacity() : 0);
  return bytes;
}

Result<std::unique_ptr<Runtime::Library>, ReplyError> Runtime::make_library(std::string_view code,
                                                                            milliseconds limit) {
  HEARTH_TRY(LibraryHead head, read_library_shebang(code));
  Vm& vm = this->vm(ScriptKind::kFunction);
  const std::uint64_t deadline =
      limit.count() == 0
          ? 0
          : host_.script_ticks() + static_cast<std::uint64_t>(limit.count()) * kNsPerMs;
  LibraryLoad load(vm, deadline);
  HEARTH_TRY_VOID(vm.run_library(code.substr(head.length), load));
  if (load.functions().empty()) return refuse("ERR No functions registered");
  auto library = std::make_unique<Library>();
  library->about.name = std::move(head.name);
  library->about.code = code;
  for (LibraryLoad::Function& f : load.release()) {
    library->about.functions.push_back(f.about);
    library->functions.push_back({std::move(f.about), f.ref});
  }
  return library;
}

void Runtime::drop(Library& library) {
  for (const Function& f : library.functions) function_vm_->forget(f.ref);
}

void Runtime::index_functions() {
  functions_.clear();
  for (const auto& [name, library] : libraries_) {
    for (const Function& f : library->functions) functions_.emplace(lower_case(f.about.name), &f);
  }
}

std::string Runtime::taken_name(const Libraries& all, const Library& library) {
  for (const auto& [name, other] : all) {
    for (const Function& theirs : other->functions) {
      for (const Function& ours : library.functions) {
        if (equals_ignore_case(theirs.about.name, ours.about.name)) return ours.about.name;
      }
    }
  }
  return {};
}

Result<std::string, ReplyError> Runtime::load_library(std::string_view code, bool replace,
                                                      milliseconds limit) {
  HEARTH_TRY(const LibraryHead head, read_library_shebang(code));
  const std::string& key = head.name;
  if (libraries_.contains(key) && !replace)
    return refuse("ERR Library '" + head.name + "' already exists");
  HEARTH_TRY(std::unique_ptr<Library> library, make_library(code, limit));
  // Its own predecessor has no say in the names.
  auto old = libraries_.extract(key);
  if (const std::string name = taken_name(libraries_, *library); !name.empty()) {
    drop(*library);
    if (!old.empty()) libraries_.insert(std::move(old));
    return refuse("ERR Function " + name + " already exists");
  }
  if (!old.empty()) drop(*old.mapped());
  libraries_.emplace(key, std::move(library));
  index_functions();
  return head.name;
}

Outcome Runtime::restore_libraries(std::span<const std::string> codes, Restore how) {
  Libraries restored;
  Outcome outcome;
  const auto add = [&](const std::string& code) -> Outcome {
    HEARTH_TRY(std::unique_ptr<Library> library, make_library(code, milliseconds(0)));
    const std::string key = library->about.name;
    std::string taken = taken_name(restored, *library);
    if (taken.empty() && !restored.contains(key)) {
      restored.emplace(key, std::move(library));
      return {};
    }
    drop(*library);
    if (restored.contains(key))
      return refuse("ERR Library '" + library->about.name + "' already exists");
    return refuse("ERR Function " + taken + " already exists");
  };
  for (const std::string& code : codes) {
    outcome = add(code);
    if (!outcome) break;
  }
  // What stays of the old ones beside the new.
  Libraries replaced;
  for (const auto& [key, library] : restored) {
    if (how == Restore::kFlush || !outcome) break;
    auto old = libraries_.extract(key);
    if (old.empty()) continue;
    const std::string name = old.mapped()->about.name;
    replaced.insert(std::move(old));
    if (how == Restore::kAppend) outcome = refuse("ERR Library " + name + " already exists");
  }
  if (how == Restore::kFlush && outcome) replaced.swap(libraries_);
  for (const auto& [key, library] : restored) {
    if (!outcome) break;
    if (const std::string name = taken_name(libraries_, *library); !name.empty())
      outcome = refuse("ERR Function " + name + " already exists");
  }
  if (outcome) {
    libraries_.merge(restored);
    for (const auto& [key, library] : replaced) drop(*library);
  } else {
    libraries_.merge(replaced);
    for (const auto& [key, library] : restored) drop(*library);
  }
  index_functions();
  return outcome;
}

bool Runtime::delete_library(std::string_view name) {
  const auto at = libraries_.find(std::string(name));
  if (at == libraries_.end()) return false;
  drop(*at->second);
  libraries_.erase(at);
  index_functions();
  return true;
}

void Runtime::flush_libraries() {
  functions_.clear();
  libraries_.clear();
  function_vm_.reset();
}

void Runtime::for_each_library(const std::function<void(const ScriptLibrary&)>& fn) const {
  for (const auto& [name, library] : libraries_) fn(library->about);
}

}  // namespace hearth::script
