#include "src/store/stream.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "src/base/random.h"
#include "src/ds/listpack.h"

using namespace hearth;

namespace {

using Fields = std::vector<std::string>;
using Model = std::map<StreamId, Fields>;

std::vector<std::string_view> views(const Fields& fields) { return {fields.begin(), fields.end()}; }

Fields random_fields(Rng& rng) {
  static const Fields kTexts = {"a", "b", "temperature", "7", "-1", "123456789012", "", "007"};
  Fields fields;
  if (rng.below(3) != 0) {
    // Names that the head of a node often has already.
    fields = {"name", std::to_string(rng.below(300)), "1", std::string(rng.below(70), 'v')};
    return fields;
  }
  for (std::uint64_t n = 1 + rng.below(4); n > 0; --n) {
    fields.push_back(kTexts[rng.below(kTexts.size())]);
    fields.push_back(rng.below(20) == 0 ? std::string(rng.below(5000), 'x')
                                        : kTexts[rng.below(kTexts.size())]);
  }
  return fields;
}

Model read(const Stream& stream, StreamId from, StreamId to, StreamReader::Order order) {
  Model found;
  StreamReader reader(stream, from, to, order);
  std::optional<StreamId> last;
  while (reader.next()) {
    if (last) {
      CHECK((order == StreamReader::Order::kAscending ? *last < reader.id() : *last > reader.id()));
    }
    last = reader.id();
    Fields fields;
    reader.for_each_field([&](std::string_view field, std::string_view value) {
      fields.emplace_back(field);
      fields.emplace_back(value);
    });
    CHECK(fields.size() == 2 * reader.field_count());
    found.emplace(reader.id(), fields);
  }
  return found;
}

void check_same(const Stream& stream, const Model& model) {
  CHECK(stream.length() == model.size());
  CHECK(stream.first_id() == (model.empty() ? StreamId{} : model.begin()->first));
  if (model.empty()) {
    CHECK_FALSE(stream.last_entry_id().has_value());
  } else {
    CHECK(stream.last_entry_id() == model.rbegin()->first);
  }
  CHECK(read(stream, kStreamIdMin, kStreamIdMax, StreamReader::Order::kAscending) == model);
  CHECK(read(stream, kStreamIdMin, kStreamIdMax, StreamReader::Order::kDescending) == model);
  CHECK(stream.count(kStreamIdMin, kStreamIdMax) == model.size());
  const auto& nodes = stream.nodes();
  for (auto p = nodes.begin(); p != nodes.end(); p = nodes.next(p)) {
    CHECK(nodes.at(p).size() > 0);
    const auto again = StreamNode::from_bytes(nodes.at(p).id(), nodes.at(p).bytes());
    REQUIRE(again.has_value());
    CHECK(again->bytes() == nodes.at(p).bytes());
    CHECK(ds::Listpack::from_bytes(nodes.at(p).bytes()).has_value());
  }
}

StreamId any_id(const Model& model, Rng& rng) {
  if (model.empty() || rng.below(4) == 0) return {rng.below(2000), rng.below(5)};
  auto at = model.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(rng.below(model.size())));
  return at->first;
}

}  // namespace

TEST_CASE("stream ids are read strictly and written in full") {
  CHECK(parse_stream_id("5-3", 0) == StreamId{5, 3});
  CHECK(parse_stream_id("5", 7) == StreamId{5, 7});
  CHECK(parse_stream_id("18446744073709551615-18446744073709551615", 0) == kStreamIdMax);
  for (const char* bad : {"", "-", "5-", "-5", "a", "5-a", "18446744073709551616", "5-3-2", "5 ",
                          "+ 5", " ", "1-18446744073709551616"})
    CHECK_FALSE(parse_stream_id(bad, 0).has_value());
  CHECK(parse_stream_id(" 5-+3", 0) == StreamId{5, 3});
  CHECK_FALSE(parse_stream_id(std::string_view("5\0", 2), 0).has_value());
  CHECK_FALSE(parse_stream_id(std::string(200, '0') + "5", 0).has_value());
  CHECK(stream_id_text(kStreamIdMax) == "18446744073709551615-18446744073709551615");
  CHECK(successor({1, UINT64_MAX}) == StreamId{2, 0});
  CHECK_FALSE(successor(kStreamIdMax).has_value());
  CHECK(predecessor({2, 0}) == StreamId{1, UINT64_MAX});
  CHECK_FALSE(predecessor(kStreamIdMin).has_value());
}

TEST_CASE("a stream does what an ordered map does, in nodes of any size") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    Stream stream;
    Model model;
    StreamLimits limits{rng.below(3) == 0 ? 0 : 200 + rng.below(4000),
                        rng.below(3) == 0 ? 0 : 1 + rng.below(150)};
    StreamId next{1, 0};
    for (int step = 0; step < 1500; ++step) {
      switch (rng.below(12)) {
        case 0: {
          const StreamId id = any_id(model, rng);
          CHECK(stream.contains(id) == (model.count(id) != 0));
          CHECK(stream.erase(id) == (model.erase(id) != 0));
          break;
        }
        case 1: {
          if (rng.below(8) != 0) break;
          StreamTrim trim;
          trim.approximate = rng.below(2) == 0;
          trim.by = rng.below(2) == 0 ? StreamTrim::By::kLength : StreamTrim::By::kId;
          trim.length = rng.below(model.size() + 1);
          trim.id = any_id(model, rng);
          if (trim.approximate && rng.below(2) == 0) trim.limit = 1 + rng.below(200);
          const std::uint64_t deleted = stream.trim(trim);
          if (trim.limit != 0) CHECK(deleted <= trim.limit);
          for (std::uint64_t i = 0; i < deleted; ++i) model.erase(model.begin());
          if (trim.by == StreamTrim::By::kLength) CHECK(model.size() + deleted >= trim.length);
          if (!trim.approximate && trim.by == StreamTrim::By::kLength)
            CHECK(model.size() <= trim.length);
          if (trim.by == StreamTrim::By::kId && !trim.approximate && !model.empty())
            CHECK(model.begin()->first >= trim.id);
          break;
        }
        case 2: {
          StreamId from = any_id(model, rng), to = any_id(model, rng);
          if (to < from) std::swap(from, to);
          const Model wanted(model.lower_bound(from), model.upper_bound(to));
          CHECK(read(stream, from, to, StreamReader::Order::kAscending) == wanted);
          CHECK(read(stream, from, to, StreamReader::Order::kDescending) == wanted);
          CHECK(stream.count(from, to) == wanted.size());
          CHECK(stream.count(from, to, 3) == std::min<std::size_t>(3, wanted.size()));
          break;
        }
        default: {
          if (rng.below(3) == 0)
            next = {next.ms + 1 + rng.below(5), rng.below(10)};
          else
            ++next.seq;
          const Fields fields = random_fields(rng);
          stream.append(next, views(fields), limits);
          model.emplace(next, fields);
          CHECK(stream.last_id() == next);
        }
      }
      if (step % 250 == 0) check_same(stream, model);
    }
    check_same(stream, model);
    check_same(*stream.clone(), model);
    CHECK(stream.memory_bytes() > 0);
    while (!model.empty()) {
      const StreamId id = any_id(model, rng);
      CHECK(stream.erase(id) == (model.erase(id) != 0));
    }
    check_same(stream, model);
  }
}

TEST_CASE("a node from anywhere is refused or can be walked") {
  Stream stream;
  Rng rng(5);
  for (std::uint64_t i = 1; i <= 12; ++i)
    stream.append({i * 1000, i}, views(random_fields(rng)), {1000, 0});
  const std::string good(stream.nodes().front().bytes());
  const StreamId id = stream.nodes().front().id();
  for (std::size_t cut = 0; cut < good.size(); ++cut)
    CHECK_FALSE(StreamNode::from_bytes(id, good.substr(0, cut)).has_value());
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = good;
    for (std::uint64_t n = 1 + rng.below(3); n > 0; --n)
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.next());
    const auto node = StreamNode::from_bytes(id, bytes);
    if (!node) continue;
    std::uint32_t entries = 0;
    for (auto p = node->begin(); p != node->end(); ++entries)
      p = node->for_each_field(node->view(p), [](std::string_view, std::string_view) {});
    CHECK(entries == node->size());
    for (auto p = node->end(); p != node->begin(); --entries) p = node->previous(p);
    CHECK(entries == 0);
  }
}

TEST_CASE("entries that are marked deleted in a file are left out") {
  ds::Listpack pack;
  for (const int n : {2, 1, 1}) pack.append_number(n);
  pack.append("f");
  pack.append_number(0);
  for (int i = 0; i < 3; ++i) {
    pack.append_number(i == 1 ? 3 : 2);
    pack.append_number(i);
    pack.append_number(0);
    pack.append_number(100 + i);
    pack.append_number(4);
  }
  const auto node = StreamNode::from_bytes({50, 0}, pack.bytes());
  REQUIRE(node.has_value());
  CHECK(node->size() == 2);
  CHECK(node->last_id() == StreamId{52, 0});
  CHECK(node->next(node->next(node->begin())) == node->end());
  CHECK(ds::Listpack::from_bytes(node->bytes()).has_value());
  CHECK(StreamNode::from_bytes({50, 0}, node->bytes())->bytes() == node->bytes());
}

TEST_CASE("a group holds pending entries as a map would, and consumers theirs") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    StreamGroup group({}, StreamGroup::kUnknown);
    struct Pending {
      std::int64_t time;
      std::string owner;
    };
    std::map<StreamId, Pending> model;
    for (int step = 0; step < 3000; ++step) {
      const StreamId id{rng.below(400), rng.below(2)};
      const std::string name = "c" + std::to_string(rng.below(4));
      StreamConsumer* consumer = group.consumer(name);
      switch (rng.below(seed % 2 == 0 ? 4 : 8)) {
        case 0: CHECK(group.acknowledge(id) == (model.erase(id) != 0)); break;
        case 1: {
          const auto until = static_cast<std::int64_t>(rng.below(1200));
          std::set<std::pair<std::int64_t, StreamId>> due;
          for (const auto& [pending, p] : model)
            if (p.time <= until) due.emplace(p.time, pending);
          std::vector<StreamId> wanted;
          for (const auto& [time, pending] : due)
            if (wanted.size() < 10) wanted.push_back(pending);
          CHECK(group.delivered_until(until, 10) == wanted);
          break;
        }
        case 2: {
          if (rng.below(100) != 0 || consumer == nullptr) break;
          std::erase_if(model, [&](const auto& p) { return p.second.owner == name; });
          group.remove_consumer(*consumer);
          break;
        }
        default: {
          const bool nobody = rng.below(10) == 0;
          if (consumer == nullptr) consumer = &group.add_consumer(name, UnixMillis{1});
          const auto time = nobody ? 0 : static_cast<std::int64_t>(rng.below(1000));
          PendingEntry& entry = group.assign(id, nobody ? nullptr : consumer, time);
          entry.deliveries = 3;
          model[id] = {time, nobody ? "" : name};
        }
      }
    }
    const StreamGroup copy = group.clone();
    for (const StreamGroup* g : {static_cast<const StreamGroup*>(&group), &copy}) {
      REQUIRE(g->pending().size() == model.size());
      std::map<std::string, std::set<StreamId>> owned;
      auto at = model.begin();
      for (auto p = g->pending().begin(); p != g->pending().end(); p = g->pending().next(p), ++at) {
        const PendingEntry& entry = g->pending().at(p);
        CHECK(entry.id == at->first);
        CHECK(entry.delivered_ms == at->second.time);
        CHECK(entry.deliveries == 3);
        CHECK((entry.consumer == nullptr ? "" : entry.consumer->name) == at->second.owner);
        if (entry.consumer != nullptr) {
          CHECK(entry.consumer == g->consumer(entry.consumer->name));
          owned[entry.consumer->name].insert(entry.id);
        }
      }
      for (const auto& [name, consumer] : g->consumers()) {
        std::set<StreamId> ids;
        for (auto p = consumer->pending.begin(); p != consumer->pending.end();
             p = consumer->pending.next(p))
          ids.insert(consumer->pending.at(p));
        CHECK(ids == owned[name]);
      }
      CHECK(g->memory_bytes() > 0);
    }
  }
}

TEST_CASE("trimming drops references, or stops at entries that a group holds") {
  const Fields fields = {"f", "v"};
  const auto filled = [&](StreamReferences) {
    auto stream = std::make_unique<Stream>();
    for (std::uint64_t i = 1; i <= 10; ++i) stream->append({i, 0}, views(fields), {0, 3});
    StreamGroup* group = stream->add_group("g", {6, 0}, 6);
    group->add_consumer("c", UnixMillis{1});
    for (const std::uint64_t i : {2, 4}) group->assign({i, 0}, group->consumer("c"), 1);
    return stream;
  };
  auto kept = filled(StreamReferences::kKeep);
  CHECK(kept->trim({.length = 5}) == 5);
  CHECK(kept->group("g")->pending().size() == 2);

  auto dropped = filled(StreamReferences::kDrop);
  CHECK(dropped->trim({.length = 5, .references = StreamReferences::kDrop}) == 5);
  CHECK(dropped->group("g")->pending().empty());

  auto acked = filled(StreamReferences::kAcked);
  CHECK(acked->is_acknowledged({1, 0}));
  CHECK_FALSE(acked->is_acknowledged({2, 0}));
  CHECK_FALSE(acked->is_acknowledged({7, 0}));
  // 1, 3, 5 and 6 can go; 2 and 4 are pending, what is behind 6 was not read.
  CHECK(acked->trim({.length = 7, .references = StreamReferences::kAcked}) == 3);
  CHECK_FALSE(acked->contains({3, 0}));
  CHECK(acked->contains({6, 0}));
  CHECK(acked->trim({.length = 0, .references = StreamReferences::kAcked}) == 1);
  CHECK(acked->length() == 6);
  CHECK(acked->max_deleted_id() == StreamId{6, 0});
  CHECK(acked->first_id() == StreamId{2, 0});
  CHECK(acked->trim({.by = StreamTrim::By::kId,
                     .approximate = true,
                     .id = {11, 0},
                     .references = StreamReferences::kAcked}) == 0);
}

TEST_CASE("the lag of a group is told as long as nothing was deleted ahead of it") {
  const Fields fields = {"f", "v"};
  Stream stream;
  StreamGroup* group = stream.add_group("g", {}, StreamGroup::kUnknown);
  CHECK(stream.lag(*group) == 0);
  for (std::uint64_t i = 1; i <= 5; ++i) stream.append({i, 0}, views(fields), {});
  CHECK(stream.lag(*group) == 5);
  stream.advance(*group, {1, 0});
  CHECK(group->entries_read == 1);
  CHECK(stream.lag(*group) == 4);
  stream.erase({3, 0});
  CHECK_FALSE(stream.lag(*group).has_value());
  for (const std::uint64_t i : {2, 4, 5}) stream.advance(*group, {i, 0});
  CHECK(group->entries_read == 5);
  CHECK(stream.lag(*group) == 0);
  stream.append({6, 0}, views(fields), {});
  CHECK(stream.lag(*group) == 1);
  CHECK(stream.entries_read_at({7, 0}) == StreamGroup::kUnknown);
  stream.trim({.length = 0});
  CHECK(stream.entries_read_at({2, 0}) == 6);
}
