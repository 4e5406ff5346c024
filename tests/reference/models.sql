-- sqlite3 :memory: with the table event(line), one canonical event a row: the
-- documents of agent-queue, token-usage, daily-cost, cost-ledger and
-- workflow-outcome, one row each and one for each part, as a reference. Money
-- is counted in thousandths.
.mode list
.separator "\t"

create table e as select
	json_extract(line, '$.position') as position,
	json_extract(line, '$.type') as type,
	json_extract(line, '$.streamId') as stream,
	json_extract(line, '$.timestamp') as timestamp,
	substr(json_extract(line, '$.timestamp'), 1, 10) as day,
	json_extract(line, '$.data') as data
from event;
create index e_stream on e (stream, position);
create table agent as select e.*,
	substr(json_extract(data, '$.agentId'), 1,
		instr(json_extract(data, '$.agentId') || '/', '/') - 1) as agent
from e where json_extract(data, '$.agentId') is not null;

-- what was assigned to the agent, and nothing happened since that ends it
select 'agent-queue', agent, 'items', stream
from agent a
where type = 'ISSUE_ASSIGNED' and not exists (
	select 1 from e where e.stream = a.stream and e.position > a.position and
	e.type in ('ISSUE_UNASSIGNED', 'WORK_STARTED', 'BRANCH_CREATED',
		'PR_CREATED', 'MERGED', 'ISSUE_DONE', 'ESCALATED'))
group by agent, stream;
select 'agent-queue', agent, 'depth', count(distinct case when not exists (
		select 1 from e where e.stream = a.stream and e.position > a.position
		and e.type in ('ISSUE_UNASSIGNED', 'WORK_STARTED', 'BRANCH_CREATED',
			'PR_CREATED', 'MERGED', 'ISSUE_DONE', 'ESCALATED'))
		then stream end)
from agent a where type = 'ISSUE_ASSIGNED' group by agent;
select 'agent-queue', agent, 'lastAssigned', stream, timestamp
from agent a where type = 'ISSUE_ASSIGNED' and position = (
	select max(position) from agent b
	where b.agent = a.agent and b.type = a.type);

create table usage as select agent, stream, day,
	json_extract(data, '$.repo') as repo,
	json_extract(data, '$.model') as model,
	json_extract(data, '$.inputTokens') as input,
	json_extract(data, '$.outputTokens') as output,
	cast(round(json_extract(data, '$.costUsd') * 1000) as integer) as cost,
	coalesce(json_extract(data, '$.issueNumber'), 0) > 0 and
		json_extract(data, '$.repo') is not null as on_issue
from agent where type = 'TOKEN_USAGE';

select 'token-usage', agent || iif(on_issue, '/' || stream, ''), 'total',
	coalesce(sum(input), 0), coalesce(sum(output), 0), coalesce(sum(cost), 0),
	count(*)
from usage group by 2;
select 'token-usage', agent || iif(on_issue, '/' || stream, ''), model,
	coalesce(sum(input), 0), coalesce(sum(output), 0), coalesce(sum(cost), 0),
	count(*)
from usage where model is not null group by 2, 3;

select 'daily-cost', day || '/' || agent || coalesce('/' || repo, ''),
	coalesce(sum(cost), 0), coalesce(sum(input), 0) + coalesce(sum(output), 0),
	count(*), day, agent, coalesce(repo, '')
from usage group by day, agent, repo;

select 'cost-ledger', coalesce(json_extract(data, '$.workflow_id'), ''),
	json_extract(data, '$.tier'), json_extract(data, '$.source'),
	sum(cast(round(json_extract(data, '$.amount_usd') * 1000) as integer)),
	count(*)
from e where type = 'CostIncurred' group by 2, 3, 4;

-- of a pull request the last outcome counts; without a URL each is its own
create table outcome as select stream, position,
	json_extract(data, '$.decision') as decision,
	coalesce(json_extract(data, '$.pr_url'), position) as pull
from e where type = 'MergeOutcome';
select 'workflow-outcome', w.stream,
	coalesce((select sum(cast(round(json_extract(data, '$.amount_usd') * 1000)
		as integer)) from e where e.stream = w.stream and type = 'CostIncurred'), 0),
	(select count(*) from e where e.stream = w.stream and
		type = 'PluginResolved' and json_extract(data, '$.fallback_used')),
	coalesce(sum(decision = 'merged'), 0), coalesce(sum(decision = 'closed'), 0),
	coalesce(sum(decision = 'modified'), 0)
from (select distinct stream from e where type in
	('PluginResolved', 'CostIncurred', 'MergeOutcome')) w
left join outcome o on o.stream = w.stream and o.position = (
	select max(position) from outcome p
	where p.stream = o.stream and p.pull = o.pull)
group by w.stream;
