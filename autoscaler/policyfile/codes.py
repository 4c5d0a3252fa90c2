"""Every code that a problem of a policy can have, and what it means: `autoscaler validate --explain CODE`."""

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        # the text
        "alias": "A YAML alias (*name) has no anchor (&name) above it, or stands within its own.",
        "documents": "One file holds one policy: a second YAML document ('---') begins here. Put it into a file of its own.",
        "duplicate_key": "The same key stands twice in one section; YAML readers differ in which of them counts. Keep one.",
        "empty": "There is nothing where something is needed: an empty file, or an empty list of rules or tiers.",
        "merge_key": "YAML merge keys ('<<') hide what a policy says from its readers: write the lines out.",
        "no_policies": "The folder holds no policy file (*.yaml). `autoscaler init` writes a first one.",
        "no_value": 'A key without a value. Write one, or remove the line; "" is the empty text.',
        "not_utf8": "The file is no UTF-8 text. Editors save as UTF-8 when told to.",
        "tag": "YAML tags ('!!str') have no meaning here: every value is taken exactly as it is written.",
        "too_large": "More than 1 MB, 10,000 values (aliases counted each time) or 32 levels: no policy is that large.",
        "too_many": "More problems than anybody mends at one time; the first hundred are shown.",
        "unreadable": "The file or folder can't be read: it is not there, is of the wrong kind, or there is no permission.",
        "yaml": "The text is no valid YAML at this place. Often a tab, a missing quote or bracket, or a line that is indented wrong.",
        # single values
        "missing_key": "A section lacks a key that it can't do without.",
        "unknown_key": "No such key exists in this section. The nearest valid one, or all of them, are named.",
        "wrong_kind": "One value stands where a list or a section is expected, or the other way round.",
        "wrong_value": "The value does not have the form that this key takes. Numbers need their unit: 8s, 400MB, 5%, 24h.",
        # what does not fit together: errors
        "duplicate_name": "Two tiers, or two alerts, have one name.",
        "duplicate_service": "Two policy files speak for one service and would fight; neither runs until one is gone.",
        "end_of_ladder": "Rules that would leave the ladder: down from the smallest tier, or up from the largest.",
        "env_keys": "Every tier names the same variables, so that coming down undoes what going up has set.",
        "every": "Polling more often than once a second is a load of its own.",
        "headroom": "With this headroom nothing of the smaller plan may be used: no downgrade could ever fit.",
        "ladder": "Tiers are listed from the smallest to the largest: each has more CPU or memory than the one before, and not less of either.",
        "metrics": "An entry of 'metrics:' contradicts the table of metrics or another entry.",
        "no_endpoint": "Without 'service: health:' only Render's own metrics and what people tell are known; this condition speaks of something else.",
        "overlap": "A rule up and a rule down on one metric can hold at once: the service would go up and down for ever. Leave room between the bounds.",
        "rate_window": "A rate is the difference of two polls: its window must hold two.",
        "soak": "The soak is the first part of the watch and can't be longer.",
        "timeout": "A poll may take longer than the time to the next one.",
        "unknown_tier": "A rung is named that is not on the ladder.",
        "unreachable_alone": "An app that does not answer may need a restart, a rollback or its network; a larger plan helps only where CPU or memory was short. Use it in an alert too.",
        # rules that are hardly meant so: warnings
        "always_holds": "The condition holds whatever happens, so it decides nothing.",
        "few_samples": "A percentile of so few samples is simply their largest. Write max(…), or lengthen 'over'.",
        "idle_share": "In so few samples the share allows no exception, as if it were not there. Lengthen the window, or leave it out.",
        "long_window": "Readings are kept 30 days; a longer window could not be rebuilt after a restart, and would not hold for weeks.",
        "never_holds": "No reading can ever meet this: the bound is beyond what the metric, the plan's memory or MAX_CONCURRENT allow, or two conditions exclude each other.",
        "other_plan": "A share of the larger plan can be more than the whole of the smaller one; only the fit check stands between the two rules. Use MB, or lower the bound.",
        "redundant": "Another condition of the same list makes this one superfluous.",
        "short_window": "Fewer than three polls: one odd reading decides. Lengthen the window, or poll more often.",
        "thin_band": "The bounds for going up and coming down are less than 30 % apart: ordinary noise may cross both.",
        "unused_metric": "'metrics:' names something that no condition speaks of.",
        "wrong_way": "The comparison seems turned round: it would send the service up when idle, or down when busy.",
        # guards that are hardly meant so: warnings
        "budget": "The largest tier (or even the smallest) costs more a month than the budget allows: ups will be held once it is spent.",
        "idle_floor": "The smallest tier is no floor, and no place to go up to.",
        "max_changes": "The day's last change is kept for an up: with 1 nothing comes down, with 0 only emergencies act.",
        "never_allowed": "'not_during' covers the whole week: nothing can ever begin this way.",
        "never_askable": "A yes is good until the first allowed minute, for 24 hours at most; between 'ask' and 'not_during' none is left.",
        "no_approvers": "Something has to be agreed to, and nobody is named who may.",
        "no_way_down": "Nothing lets this tier come down: it stays, and costs, until a person changes it.",
        "no_way_up": "Nothing sends this tier up, however busy it is.",
        "one_tier": "A ladder of one rung: there is nowhere to go.",
        "secret": "A tier's variables are sizes that go with its plan, in clear. A secret belongs to the service on Render, which the bot leaves alone.",
        "short_expiry": "The time to answer a question is too short for people.",
        "short_soak": "The soak is shorter than two polls: the new instance would hardly be heard before it counts as good.",
        "token_in_clear": "The health endpoint's token would be sent over plain http.",
        "wide_cache": "What one instance keeps in its memory the others don't have: with several of them calls are only deduplicated through a shared cache, such as Render Key Value. With app_core that is its RedisBackend, given to the Deduplicator. The warning goes once the tier's 'env' has such a variable: REDIS_URL, VALKEY_URL, or CACHE_BACKEND: redis where the address is a secret.",
        # what else is in the repository: warnings
        "blueprint_env": "The Blueprint sets a variable that the tiers set too: each sync takes the bot's value back. Write 'sync: false' there.",
        "blueprint_instances": "The Blueprint pins 'numInstances', which the tiers change: each sync takes it back.",
        "blueprint_plan": "The Blueprint pins 'plan', so each sync takes back what the bot has changed. Take the line out, or turn the Blueprint's auto-sync off.",
        "blueprint_scaling": "Render's own autoscaling and the bot would both change the number of instances.",
    }
)
