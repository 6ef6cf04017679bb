// From Prometheus's answers to Grafana's data frames, as its Prometheus data source makes them, and
// through the transformations and overrides of a panel.

import {
  DataFrame,
  Field,
  FieldType,
  GrafanaTheme2,
  getDisplayProcessor,
  getFieldDisplayName,
  standardTransformers,
  standardTransformersRegistry,
  toDataFrame,
  transformDataFrame,
} from '@grafana/data';
import { firstValueFrom } from 'rxjs';

export type Json = any;

const byId = new Map(Object.values(standardTransformers).map((each: Json) => [each.id, each]));
standardTransformersRegistry.setInit(() =>
  [...byId.values()].map((transformation: Json) => ({
    id: transformation.id,
    name: transformation.name,
    transformation,
    editor: () => null,
    imageDark: '',
    imageLight: '',
  })) as Json
);

const number = (text: string) => (text === 'NaN' ? NaN : Number(text.replace('Inf', 'Infinity')));

function named(legend: string, labels: Record<string, string>): string {
  if (legend) {
    return legend.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? '');
  }
  const { __name__: name = '', ...rest } = labels;
  const text = Object.entries(rest).map(([label, value]) => `${label}="${value}"`);
  return text.length ? `${name}{${text.join(', ')}}` : name || 'Value';
}

function series(target: Json, result: Json[]): DataFrame[] {
  return result.map(({ metric, values, value }) => {
    const points = values ?? [value];
    const { __name__: name, ...labels } = metric;
    return toDataFrame({
      refId: target.refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: points.map((p: Json) => p[0] * 1000) },
        {
          name: 'Value',
          type: FieldType.number,
          labels,
          values: points.map((p: Json) => number(p[1])),
          config: { displayNameFromDS: named(target.legendFormat, metric) },
        },
      ],
    });
  });
}

function table(target: Json, result: Json[], several: boolean): DataFrame {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const column = (name: string) => result.map(({ metric }) => metric[name] ?? '');
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: result.map(({ value }) => value[0] * 1000) },
      ...labels.map((name) => ({ name, type: FieldType.string, values: column(name) })),
      {
        name: several ? `Value #${target.refId}` : 'Value',
        type: FieldType.number,
        values: result.map(({ value }) => number(value[1])),
      },
    ],
  });
}

function matches(matcher: Json, field: Field, frame: DataFrame, frames: DataFrame[]): boolean {
  const name = getFieldDisplayName(field, frame, frames);
  if (matcher.id === 'byName') {
    return name === matcher.options;
  }
  if (matcher.id === 'byRegexp') {
    const [, body, flags] = matcher.options.match(/^\/(.*)\/([a-z]*)$/s) ?? [null, matcher.options, ''];
    return new RegExp(body, flags).test(name);
  }
  return matcher.id === 'byFrameRefID' ? frame.refId === matcher.options : matcher.id === 'byType' && field.type === matcher.options;
}

function assign(config: Json, path: string, value: Json) {
  const parts = path.split('.');
  const last = parts.pop()!;
  const place = parts.reduce((object, part) => (object[part] = { ...object[part] }), config);
  place[last] = value;
}

// Least and greatest value over all frames: colours and sparklines are relative to them.
function rangeOf(frames: DataFrame[]): Json {
  const values = frames
    .flatMap((frame) => frame.fields)
    .filter((field) => field.type === FieldType.number)
    .flatMap((field) => Array.from(field.values as Json) as number[])
    .filter(Number.isFinite);
  const [min, max] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 0];
  return { min, max, delta: max - min };
}

export function configured(frames: DataFrame[], panel: Json, theme: GrafanaTheme2): DataFrame[] {
  const { defaults, overrides } = panel.fieldConfig;
  const range = rangeOf(frames);
  let place = 0;
  for (const frame of frames) {
    frame.fields.forEach((field) => {
      const isValue = field.type === FieldType.number;
      const config: Json = isValue ? { ...structuredClone(defaults), ...field.config } : { ...field.config };
      config.custom = { ...structuredClone(defaults.custom ?? {}) };
      field.state = { ...field.state, range, seriesIndex: isValue ? place++ : undefined };
      field.config = config;
    });
  }
  for (const frame of frames) {
    for (const field of frame.fields) {
      for (const { matcher, properties } of overrides) {
        if (matches(matcher, field, frame, frames)) {
          properties.forEach(({ id, value }: Json) => assign(field.config, id, value));
        }
      }
      field.config.links = undefined;
      if (field.state) {
        field.state.displayName = undefined;
      }
      field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
    }
  }
  return frames;
}

export async function framesOf(panel: Json, theme: GrafanaTheme2): Promise<DataFrame[]> {
  const targets: Json[] = panel.targets ?? [];
  const asked = targets.flatMap((target) => {
    const result = panel.answers[target.refId] ?? [];
    if (!result.length) {
      return [];
    }
    return target.format === 'table' ? [table(target, result, targets.length > 1)] : series(target, result);
  });
  const transformed = await firstValueFrom(
    transformDataFrame(panel.transformations ?? [], asked, { interpolate: (text: string) => text })
  );
  return configured(transformed, panel, theme);
}
