#include "src/commands/key/sort_order.h"

#include <algorithm>
#include <numeric>

#include "src/base/parse_number.h"

namespace hearth::commands {
namespace {

struct Weighted {
  std::size_t index = 0;              // of the element
  double number = 0;                  // numeric order
  std::optional<std::string> text{};  // ALPHA BY; nothing sorts first
};

struct Window {
  std::size_t begin = 0;
  std::size_t end = 0;
};

Window window_of(const SortOptions& options, std::size_t size) {
  const std::size_t begin =
      std::min(size, static_cast<std::size_t>(std::max<std::int64_t>(0, options.offset)));
  const std::size_t room = size - begin;
  const std::size_t count =
      options.count < 0 ? room : std::min(room, static_cast<std::size_t>(options.count));
  return {begin, begin + count};
}

Result<std::vector<Weighted>, ReplyError> weigh(const std::vector<std::string>& elements,
                                                const SortOptions& options,
                                                const SortLookup& lookup) {
  std::vector<Weighted> all(elements.size());
  for (std::size_t i = 0; i < elements.size(); ++i) {
    all[i].index = i;
    if (options.alpha) {
      if (options.by) all[i].text = lookup(*options.by, elements[i]);
      continue;
    }
    std::optional<std::string> fetched;
    if (options.by && !(fetched = lookup(*options.by, elements[i])))
      continue;  // no weight counts as 0
    const std::string_view text = fetched ? *fetched : elements[i];
    if (text.empty()) continue;  // as no weight
    const auto number = parse_double(text);
    if (!number) return refuse("ERR One or more scores can't be converted into double");
    all[i].number = *number;
  }
  return all;
}

int compare_texts(const std::string& a, const std::string& b, const SortOptions& options) {
  return options.collation != nullptr ? options.collation->compare(a, b) : a.compare(b);
}

// <0, 0, >0 in ascending order.
int compare(const Weighted& a, const Weighted& b, const std::vector<std::string>& elements,
            const SortOptions& options) {
  if (!options.alpha) {
    if (a.number != b.number) return a.number < b.number ? -1 : 1;
    return elements[a.index].compare(elements[b.index]);
  }
  if (!options.by) return compare_texts(elements[a.index], elements[b.index], options);
  if (a.text && b.text) return compare_texts(*a.text, *b.text, options);
  return (a.text ? 1 : 0) - (b.text ? 1 : 0);
}

Result<std::vector<std::size_t>, ReplyError> order_of(const std::vector<std::string>& elements,
                                                      const SortOptions& options,
                                                      const SortLookup& lookup,
                                                      const Window& window) {
  std::vector<std::size_t> order(elements.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (options.unsorted) return order;
  HEARTH_TRY(std::vector<Weighted> weighted, weigh(elements, options, lookup));
  const auto end = weighted.begin() + static_cast<std::ptrdiff_t>(window.end);
  std::partial_sort(weighted.begin(), end, weighted.end(),
                    [&](const Weighted& a, const Weighted& b) {
                      const int c = compare(a, b, elements, options);
                      if (c != 0) return options.descending ? c > 0 : c < 0;
                      return a.index < b.index;
                    });
  std::transform(weighted.begin(), end, order.begin(), [](const Weighted& w) { return w.index; });
  return order;
}

}  // namespace

Result<std::vector<std::optional<std::string>>, ReplyError> sort_elements(
    std::vector<std::string> elements, const SortOptions& options, const SortLookup& lookup) {
  const Window window = window_of(options, elements.size());
  HEARTH_TRY(const std::vector<std::size_t> order, order_of(elements, options, lookup, window));
  std::vector<std::optional<std::string>> out;
  out.reserve((window.end - window.begin) * std::max<std::size_t>(1, options.get.size()));
  for (std::size_t i = window.begin; i < window.end; ++i) {
    std::string& element = elements[order[i]];
    for (const std::string_view pattern : options.get) {
      out.push_back(pattern == "#" ? std::optional<std::string>(element)
                                   : lookup(pattern, element));
    }
    if (options.get.empty()) out.emplace_back(std::move(element));
  }
  return out;
}

std::optional<SortTarget> sort_target(std::string_view pattern, std::string_view element) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return std::nullopt;
  SortTarget target;
  std::string_view tail = pattern.substr(star + 1);
  const std::size_t arrow = tail.find("->");
  if (arrow != std::string_view::npos && arrow + 2 < tail.size()) {
    target.field = tail.substr(arrow + 2);
    tail = tail.substr(0, arrow);
  }
  target.key.reserve(star + element.size() + tail.size());
  target.key.append(pattern.substr(0, star)).append(element).append(tail);
  return target;
}

}  // namespace hearth::commands
